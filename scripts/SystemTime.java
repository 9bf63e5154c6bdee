package org.apache.kafka.common.utils;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Replaces the class of this name in Kafka's jars, for tests that step a broker's clock: the wall clock is as many milliseconds ahead of
 * the machine's as the file in the system property orders.clock says, or behind it when the number is negative. The file is read again
 * once a second. Intervals are measured with nanoTime, as in Kafka, and do not change.
 */
class SystemTime implements Time {
    private static final SystemTime SYSTEM_TIME = new SystemTime();
    private static final Path CLOCK = Path.of(System.getProperty("orders.clock"));

    private volatile long ahead;
    private volatile long readAt = System.nanoTime() - 2_000_000_000L;

    public static SystemTime getSystemTime() {
        return SYSTEM_TIME;
    }

    @Override
    public long milliseconds() {
        long now = System.nanoTime();
        if (now - readAt > 1_000_000_000L) {
            readAt = now;
            try {
                ahead = Long.parseLong(Files.readString(CLOCK).strip());
            } catch (IOException | NumberFormatException e) {
                // It is being written: the next read finds it.
            }
        }
        return System.currentTimeMillis() + ahead;
    }

    @Override
    public long nanoseconds() {
        return System.nanoTime();
    }

    @Override
    public void sleep(long ms) {
        Utils.sleep(ms);
    }

    private SystemTime() {
    }
}
