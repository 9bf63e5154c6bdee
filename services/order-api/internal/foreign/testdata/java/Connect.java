import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.cli.ConnectStandalone;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** Kafka Connect standalone, with a sink whose converter refuses most records, and which refuses the others itself. */
public final class Connect extends SinkConnector {
  static void run(Path dir) throws Exception {
    Path worker = dir.resolve("worker.properties");
    Files.writeString(worker, String.join("\n", "bootstrap.servers=" + Dialects.bootstrap, "offset.storage.file.filename=" + dir.resolve("offsets"),
        "key.converter=org.apache.kafka.connect.converters.ByteArrayConverter", "value.converter=org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable=false", "listeners=http://127.0.0.1:0", "plugin.discovery=only_scan"));
    Path sink = dir.resolve("sink.properties");
    Files.writeString(sink, String.join("\n", "name=" + Dialects.prefix + "sink", "connector.class=Connect", "tasks.max=1",
        "topics=" + Dialects.prefix + "sink", "consumer.override.auto.offset.reset=earliest", "errors.tolerance=all",
        "errors.deadletterqueue.topic.name=" + Dialects.prefix + "sink-dlq", "errors.deadletterqueue.topic.replication.factor=1",
        "errors.deadletterqueue.context.headers.enable=true"));
    Thread connect = new Thread(() -> ConnectStandalone.main(new String[] {worker.toString(), sink.toString()}), "connect");
    connect.setDaemon(true);
    connect.start();
  }

  @Override
  public void start(Map<String, String> config) {}

  @Override
  public void stop() {}

  @Override
  public Class<? extends Task> taskClass() {
    return Refuse.class;
  }

  @Override
  public List<Map<String, String>> taskConfigs(int max) {
    return IntStream.range(0, max).mapToObj(i -> Map.<String, String>of()).toList();
  }

  @Override
  public ConfigDef config() {
    return new ConfigDef();
  }

  @Override
  public String version() {
    return "1";
  }

  /** Reports each record as one that it cannot store. */
  public static final class Refuse extends SinkTask {
    @Override
    public void start(Map<String, String> config) {}

    @Override
    public void put(Collection<SinkRecord> records) {
      for (SinkRecord r : records) {
        context.errantRecordReporter().report(r, new IllegalStateException("table orders has no column amount"));
      }
    }

    @Override
    public void stop() {}

    @Override
    public String version() {
      return "1";
    }
  }
}
