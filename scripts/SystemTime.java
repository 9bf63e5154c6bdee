package org.apache.kafka.common.utils;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Replaces the class of this name in Kafka's jars, for tests that change the clock of a broker. The wall clock is ahead of that of the
 * machine by the milliseconds in the file that the system property orders.clock names; a negative number sets it back. The file is read
 * once a second. Intervals do not change: they are measured with nanoTime, as in Kafka.
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
                // The file is not there yet. The next read succeeds.
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
