import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.EnableKafka;
import org.springframework.kafka.annotation.EnableKafkaRetryTopic;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.listener.KafkaMessageListenerContainer;
import org.springframework.kafka.listener.MessageListener;
import org.springframework.kafka.retrytopic.RetryTopicConfiguration;
import org.springframework.kafka.retrytopic.RetryTopicConfigurationBuilder;
import org.springframework.kafka.support.serializer.ErrorHandlingDeserializer;
import org.springframework.scheduling.TaskScheduler;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;
import org.springframework.util.backoff.FixedBackOff;

/** Two consumers as the documentation of Spring Kafka shows them; both fail for each record. */
final class Spring {
  static final CountDownLatch PUBLISHED = new CountDownLatch(2 * Dialects.RECORDS);

  static void run() throws Exception {
    KafkaMessageListenerContainer<Object, Object> blocking = blocking();
    blocking.start();
    try (AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext(Retryable.class)) {
      if (!PUBLISHED.await(180, TimeUnit.SECONDS)) {
        throw new IllegalStateException(PUBLISHED.getCount() + " records are not dead-lettered");
      }
    }
    blocking.stop();
  }

  /** Refuses what begins with an opening brace; other values reach the listener. */
  static final class Strict implements Deserializer<byte[]> {
    @Override
    public byte[] deserialize(String topic, byte[] data) {
      if (data != null && data.length > 0 && data[0] == '{') {
        throw new IllegalArgumentException("amount: no number at position 11");
      }
      return data;
    }
  }

  static ConsumerFactory<Object, Object> consumers(String group, Deserializer<?> values) {
    Map<String, Object> config = Map.of("bootstrap.servers", Dialects.bootstrap, "group.id", Dialects.prefix + group, "auto.offset.reset", "earliest");
    @SuppressWarnings("unchecked")
    Deserializer<Object> value = (Deserializer<Object>) (Deserializer<?>) values;
    @SuppressWarnings("unchecked")
    Deserializer<Object> key = (Deserializer<Object>) (Deserializer<?>) new ByteArrayDeserializer();
    return new DefaultKafkaConsumerFactory<>(new HashMap<>(config), key, value);
  }

  static KafkaTemplate<byte[], byte[]> template() {
    Map<String, Object> config = Map.of("bootstrap.servers", Dialects.bootstrap);
    KafkaTemplate<byte[], byte[]> template =
        new KafkaTemplate<>(new DefaultKafkaProducerFactory<>(new HashMap<>(config), new ByteArraySerializer(), new ByteArraySerializer()));
    template.setProducerListener(new org.springframework.kafka.support.ProducerListener<>() {
      @Override
      public void onSuccess(org.apache.kafka.clients.producer.ProducerRecord<byte[], byte[]> r, org.apache.kafka.clients.producer.RecordMetadata at) {
        if (r.topic().endsWith("-dlt")) {
          PUBLISHED.countDown();
        }
      }
    });
    return template;
  }

  static KafkaMessageListenerContainer<Object, Object> blocking() {
    ContainerProperties properties = new ContainerProperties(Dialects.prefix + "spring");
    properties.setDeliveryAttemptHeader(true);
    properties.setMessageListener((MessageListener<Object, Object>) Spring::fail);
    KafkaMessageListenerContainer<Object, Object> container =
        new KafkaMessageListenerContainer<>(consumers("billing", new ErrorHandlingDeserializer<>(new Strict())), properties);
    container.setCommonErrorHandler(new DefaultErrorHandler(new DeadLetterPublishingRecoverer(template()), new FixedBackOff(10, 2)));
    return container;
  }

  static void fail(ConsumerRecord<Object, Object> r) {
    throw new IllegalStateException("no account for " + r.offset(), new java.net.ConnectException("Connection refused: ledger.example.com:5432"));
  }

  @EnableKafka
  @EnableKafkaRetryTopic
  public static class Retryable {
    @Bean
    public KafkaTemplate<byte[], byte[]> template() {
      return Spring.template();
    }

    @Bean
    public TaskScheduler scheduler() {
      return new ThreadPoolTaskScheduler();
    }

    @Bean
    public RetryTopicConfiguration retries(KafkaTemplate<byte[], byte[]> template) {
      return RetryTopicConfigurationBuilder.newInstance().maxAttempts(3).fixedBackOff(50).useSingleTopicForSameIntervals()
          .doNotAutoCreateRetryTopics().includeTopic(Dialects.prefix + "retryable").dltHandlerMethod("listener", "dead").create(template);
    }

    @Bean
    public ConcurrentKafkaListenerContainerFactory<Object, Object> kafkaListenerContainerFactory() {
      ConcurrentKafkaListenerContainerFactory<Object, Object> factory = new ConcurrentKafkaListenerContainerFactory<>();
      factory.setConsumerFactory(consumers("shipping", new ByteArrayDeserializer()));
      return factory;
    }

    @Bean
    public Listener listener() {
      return new Listener();
    }
  }

  public static class Listener {
    @KafkaListener(topics = "#{T(Dialects).prefix + 'retryable'}")
    public void listen(ConsumerRecord<Object, Object> r) {
      fail(r);
    }

    public void dead(ConsumerRecord<Object, Object> r) {}
  }
}
