import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes dead letters with Spring Kafka, Kafka Connect and a share group on a real Kafka, and prints them, each with the record that
 * failed, as lines of JSON.
 *
 * <p>Arguments: the bootstrap server, a prefix of topics that do not exist, and a directory for the files of Kafka Connect.
 */
public final class Dialects {
  public static String bootstrap;
  public static String prefix;

  public static void main(String[] args) {
    try {
      run(args);
      System.exit(0); // Kafka Connect leaves threads
    } catch (Throwable t) {
      t.printStackTrace();
      System.exit(1);
    }
  }

  static void run(String[] args) throws Exception {
    bootstrap = args[0];
    prefix = args[1];
    List<String> names =
        List.of("spring", "spring-dlt", "retryable", "retryable-retry", "retryable-dlt", "sink", "sink-dlq", "share", "dlq.share");
    try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", bootstrap))) {
      List<NewTopic> topics = new ArrayList<>();
      for (String name : names) {
        NewTopic topic = new NewTopic(topic(name), 3, (short) 1);
        topics.add(name.equals("dlq.share") ? topic.configs(Map.of("errors.deadletterqueue.group.enable", "true")) : topic);
      }
      admin.createTopics(topics).all().get();
      // Share groups have dead letters since version 2 of the feature.
      admin.updateFeatures(Map.of("share.version", new FeatureUpdate((short) 2, FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions())
          .all().get();
      Map<String, String> group = Map.of("share.auto.offset.reset", "earliest", "errors.deadletterqueue.topic.name", topic("dlq.share"),
          "errors.deadletterqueue.copy.record.enable", "true");
      admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, prefix + "sharers"),
          group.entrySet().stream().map(e -> new AlterConfigOp(new ConfigEntry(e.getKey(), e.getValue()), AlterConfigOp.OpType.SET)).toList()))
          .all().get();
      for (String name : List.of("spring", "retryable", "sink", "share")) {
        produce(prefix + name);
      }
      Spring.run();
      print("spring", "spring-dlt");
      print("retryable", "retryable-dlt");
      Connect.run(Path.of(args[2]));
      print("sink", "sink-dlq");
      share();
      print("share", "dlq.share");
      admin.deleteTopics(names.stream().map(Dialects::topic).toList()).all().get();
    }
  }

  /** Kafka takes topics for the dead letters of share groups only with this prefix. */
  static String topic(String name) {
    return name.startsWith("dlq.") ? "dlq." + prefix + name.substring("dlq.".length()) : prefix + name;
  }

  /** How many records produce writes to a topic; each of them fails. */
  static final int RECORDS = 5;

  /** Keys and values with bytes that are no text, and without any; two headers of one name. All go to partition 1. */
  static void produce(String topic) throws Exception {
    byte[] noText = {(byte) 0xff, 0, (byte) 0xfe, 'x'};
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", bootstrap), new ByteArraySerializer(), new ByteArraySerializer())) {
      long at = System.currentTimeMillis() - 3_600_000;
      byte[][][] all = {
        {bytes("key-1"), bytes("{\"amount\": broken}")}, {bytes("clé-2"), noText}, {null, bytes("no key {")}, {noText, bytes("")},
        {bytes("tombstone"), null},
      };
      for (int i = 0; i < RECORDS; i++) {
        ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic, 1, at + i, all[i][0], all[i][1]);
        r.headers().add("trace", bytes("first")).add("content-type", bytes("application/json")).add("trace", noText);
        r.headers().add("empty", bytes("")).add("null", (byte[]) null);
        producer.send(r).get();
      }
    }
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static void share() throws Exception {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", prefix + "sharers", "share.acknowledgement.mode", "explicit");
    try (KafkaShareConsumer<byte[], byte[]> consumer =
        new KafkaShareConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(prefix + "share"));
      for (int rejected = 0; rejected < RECORDS; ) {
        for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofSeconds(1))) {
          consumer.acknowledge(r, AcknowledgeType.REJECT);
          rejected++;
        }
        consumer.commitSync();
      }
    }
  }

  /** Prints all records of a topic, and then all of its dead-letter topic. */
  static void print(String topic, String deadLetters) throws Exception {
    for (String name : List.of(topic, deadLetters)) {
      for (ConsumerRecord<byte[], byte[]> r : read(topic(name))) {
        StringBuilder line = new StringBuilder("{\"topic\":\"" + topic(name) + "\",\"partition\":" + r.partition() + ",\"offset\":" + r.offset());
        line.append(",\"timestamp\":" + r.timestamp() + ",\"key\":" + json(r.key()) + ",\"value\":" + json(r.value()) + ",\"headers\":[");
        String separator = "";
        for (Header h : r.headers()) {
          line.append(separator + "{\"key\":\"" + h.key() + "\",\"value\":" + json(h.value()) + "}");
          separator = ",";
        }
        System.out.println(line + "]}");
      }
    }
  }

  static List<ConsumerRecord<byte[], byte[]>> read(String topic) {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest");
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1), new TopicPartition(topic, 2)));
      List<ConsumerRecord<byte[], byte[]>> all = new ArrayList<>();
      while (all.size() < RECORDS) {
        consumer.poll(Duration.ofMillis(200)).forEach(all::add);
      }
      return all;
    }
  }

  static String json(byte[] value) {
    return value == null ? "null" : "\"" + Base64.getEncoder().encodeToString(value) + "\"";
  }
}
