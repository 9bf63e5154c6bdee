package org.apache.kafka.common.utils;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Replaces the class of this name in Kafka's jars, for tests that set a broker's clock: the timestamps of records are as many milliseconds
 * ahead of the machine's clock as the file in the system property orders.clock says, or behind it when the number is negative. The file is
 * read again once a second.
 *
 * All other times of the broker are right. Kafka schedules work by this clock, too: a follower that has to fetch again a second later,
 * on a clock that is then set back by an hour, replicates nothing for an hour, and acknowledgements stop for as long.
 */
class SystemTime implements Time {
    private static final SystemTime SYSTEM_TIME = new SystemTime();
    private static final Path CLOCK = Path.of(System.getProperty("orders.clock"));
    private static final StackWalker CALLERS = StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE);

    private volatile long ahead;
    private volatile long readAt = System.nanoTime() - 2_000_000_000L;

    public static SystemTime getSystemTime() {
        return SYSTEM_TIME;
    }

    @Override
    public long milliseconds() {
        return System.currentTimeMillis() + (CALLERS.getCallerClass().getName().contains(".LogValidator") ? ahead() : 0);
    }

    private long ahead() {
        long now = System.nanoTime();
        if (now - readAt > 1_000_000_000L) {
            readAt = now;
            try {
                ahead = Long.parseLong(Files.readString(CLOCK).strip());
            } catch (IOException | NumberFormatException e) {
                // It is being written: the next read finds it.
            }
        }
        return ahead;
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
