-- Times are in Unix milliseconds, flags are 0 or 1.

-- The topics that the file was filled from, and how far.
CREATE TABLE topics (name TEXT PRIMARY KEY, id BLOB NOT NULL);
CREATE TABLE positions (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, epoch INTEGER NOT NULL, claim INTEGER NOT NULL, stale INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
);

-- Orders and refunds. offset is that of the record that placed the order; state_at is the offset of its newest state in
-- orders.status. value is the record's value as Kafka has it: of the newest state once begun, of the order as placed before that.
-- words are those of names, companies and the e-mail address, each with a space before it. refund_of is empty for an order.
-- owner is empty for the order of a guest. reference is the number of the shop, or empty.
CREATE TABLE orders (
  id TEXT PRIMARY KEY, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, placed_at INTEGER NOT NULL,
  status TEXT NOT NULL, rev INTEGER NOT NULL, begun INTEGER NOT NULL, state_at INTEGER NOT NULL, words TEXT NOT NULL,
  refund_of TEXT NOT NULL, owner TEXT NOT NULL, reference TEXT NOT NULL, value BLOB NOT NULL
);
CREATE INDEX orders_placed ON orders (placed_at, id) WHERE refund_of = '';
CREATE INDEX orders_status ON orders (status, placed_at, id) WHERE refund_of = '';
CREATE INDEX orders_offset ON orders (partition, "offset");
CREATE INDEX orders_accepted ON orders (partition, placed_at, "offset") WHERE status = 'accepted';
CREATE INDEX refunds_of ON orders (refund_of) WHERE refund_of <> '';
CREATE INDEX refunds_placed ON orders (placed_at, id) WHERE refund_of <> '';
CREATE INDEX refunds_status ON orders (status, placed_at, id) WHERE refund_of <> '';
CREATE INDEX orders_owner ON orders (owner, placed_at, id) WHERE owner <> '' AND refund_of = '';
CREATE INDEX refunds_owner ON orders (owner, placed_at, id) WHERE owner <> '' AND refund_of <> '';
CREATE INDEX orders_reference ON orders (reference, placed_at, id) WHERE reference <> '';

-- How many orders and refunds have a status.
CREATE TABLE order_counts (status TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;

-- The indexes of words of orders and of refunds: the first 64 bytes of each word, and the rowid in orders.
CREATE TABLE order_words (
  word TEXT NOT NULL, at INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (word, at, row)
) WITHOUT ROWID;
CREATE TABLE refund_words (
  word TEXT NOT NULL, at INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (word, at, row)
) WITHOUT ROWID;

-- foreign is the dead-letter topic of another program, or empty. partition and offset are those of the record that failed in topic,
-- key is its key; dlq_partition and dlq_offset are those of the dead letter itself, and gone is set when its topic has deleted it.
-- cause is the ID of its group; words are those of the IDs, the message and the customer, each with a space before it. The last columns
-- follow from orders, erased, decisions and sent_on; discarded and edited are the seq of a decision, or 0.
CREATE TABLE dead_letters (
  id TEXT PRIMARY KEY, "foreign" TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, key TEXT NOT NULL,
  dlq_partition INTEGER NOT NULL, dlq_offset INTEGER NOT NULL, gone INTEGER NOT NULL,
  step TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, attempts INTEGER NOT NULL,
  first_failed INTEGER NOT NULL, last_failed INTEGER NOT NULL, worker TEXT NOT NULL, trace TEXT NOT NULL, replays INTEGER NOT NULL,
  rev INTEGER NOT NULL, cause TEXT NOT NULL, text TEXT NOT NULL, words TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open', erased INTEGER NOT NULL DEFAULT 0, discarded INTEGER NOT NULL DEFAULT 0,
  edited INTEGER NOT NULL DEFAULT 0, notes INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX dead_letters_state ON dead_letters (state, last_failed, id);
CREATE INDEX dead_letters_cause ON dead_letters (cause, state, last_failed, id, first_failed, step, reason, class, "foreign");
CREATE INDEX dead_letters_first ON dead_letters (cause, state, class, first_failed);
CREATE INDEX dead_letters_step ON dead_letters (step, state, last_failed, id);
CREATE INDEX dead_letters_class ON dead_letters (class, state, last_failed, id);
CREATE INDEX dead_letters_reason ON dead_letters (reason, state, last_failed, id);
CREATE INDEX dead_letters_foreign ON dead_letters ("foreign", state, last_failed, id);
CREATE INDEX dead_letters_touched ON dead_letters ("foreign", dlq_partition, dlq_offset)
  WHERE "foreign" <> '' AND (state NOT IN ('open', 'sent') OR edited <> 0);
CREATE INDEX dead_letters_record ON dead_letters ("foreign", dlq_partition, dlq_offset);

-- How many dead letters have the same cause, state and so on, and failed last in an hour since 1970. The hour is -1 for how many
-- failed at any time.
CREATE TABLE dead_letter_counts (
  hour INTEGER NOT NULL, cause TEXT NOT NULL, state TEXT NOT NULL, class TEXT NOT NULL, step TEXT NOT NULL, reason TEXT NOT NULL,
  "foreign" TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (hour, cause, state, class, step, reason, "foreign")
) WITHOUT ROWID;
CREATE TRIGGER dead_letter_added AFTER INSERT ON dead_letters
BEGIN
  INSERT INTO dead_letter_counts (hour, cause, state, class, step, reason, "foreign", n)
  VALUES (-1, new.cause, new.state, new.class, new.step, new.reason, new."foreign", 1),
    (max(new.last_failed, 0) / 3600000, new.cause, new.state, new.class, new.step, new.reason, new."foreign", 1)
  ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER dead_letter_changed AFTER UPDATE ON dead_letters
WHEN (old.cause, old.state, old.class, old.step, old.reason, old.last_failed) IS NOT (new.cause, new.state, new.class, new.step, new.reason, new.last_failed)
BEGIN
  UPDATE dead_letter_counts SET n = n - 1 WHERE hour IN (-1, max(old.last_failed, 0) / 3600000) AND cause = old.cause AND state = old.state
    AND class = old.class AND step = old.step AND reason = old.reason AND "foreign" = old."foreign";
  INSERT INTO dead_letter_counts (hour, cause, state, class, step, reason, "foreign", n)
  VALUES (-1, new.cause, new.state, new.class, new.step, new.reason, new."foreign", 1),
    (max(new.last_failed, 0) / 3600000, new.cause, new.state, new.class, new.step, new.reason, new."foreign", 1)
  ON CONFLICT DO UPDATE SET n = n + 1;
END;

-- The index of their words, as order_words; at is when the dead letter failed last.
CREATE TABLE dead_letter_words (
  word TEXT NOT NULL, at INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (word, at, row)
) WITHOUT ROWID;

-- The failures of a dead letter, by the number of the replay that failed.
CREATE TABLE failures (
  dead_letter TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, step TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL,
  message TEXT NOT NULL, attempts INTEGER NOT NULL, worker TEXT NOT NULL, cause TEXT NOT NULL, dlq_partition INTEGER NOT NULL,
  dlq_offset INTEGER NOT NULL, edit INTEGER NOT NULL, PRIMARY KEY (dead_letter, number)
) WITHOUT ROWID;

-- Decisions about dead letters and groups, in their sequence. target is the ID of a dead letter or of a group.
CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, actor TEXT NOT NULL, trace TEXT NOT NULL, kind TEXT NOT NULL,
  target TEXT NOT NULL, grouped INTEGER NOT NULL, text TEXT NOT NULL, version INTEGER NOT NULL, value BLOB
);
CREATE INDEX decisions_target ON decisions (target, kind, version);

-- The dead letters of other programs that were replayed: those of a partition of a dead-letter topic from an offset up to, and
-- including, another one. No two ranges of a partition overlap or touch.
CREATE TABLE sent_on (
  "foreign" TEXT NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY ("foreign", partition, first)
) WITHOUT ROWID;

-- What a job has replayed of them whose state in dead_letters is not changed yet.
CREATE TABLE sent_by (job TEXT NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (job, partition, first)) WITHOUT ROWID;

-- Orders that were erased: when, and the offset of the record that placed the order, or -1 if it was not known. Records of them in
-- other topics must not bring them back.
CREATE TABLE erased (id TEXT PRIMARY KEY, at INTEGER NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL);
CREATE INDEX erased_offset ON erased (partition, "offset");

-- The audit trail. at is when the act began; actor is empty for one who has not signed in.
CREATE TABLE acts (
  id TEXT PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, act TEXT NOT NULL, target TEXT NOT NULL, reason TEXT NOT NULL,
  outcome TEXT NOT NULL, problem TEXT NOT NULL, address TEXT NOT NULL, count INTEGER NOT NULL
);
CREATE INDEX acts_at ON acts (at, id);
CREATE INDEX acts_actor ON acts (actor, at, id);
CREATE INDEX acts_act ON acts (act, at, id);
CREATE INDEX acts_target ON acts (target, at, id);
CREATE INDEX acts_outcome ON acts (outcome, at, id);

-- Replay jobs. value is the JSON of view.Job; the other columns are for queries. The value of a chunk is the JSON of
-- wire.JobChunk; a chunk may come before its job.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY, at INTEGER NOT NULL, partition INTEGER NOT NULL, final INTEGER NOT NULL, value TEXT NOT NULL
);
CREATE INDEX jobs_at ON jobs (at, id);
CREATE INDEX jobs_open ON jobs (partition, at, id) WHERE NOT final;
CREATE TABLE job_chunks (job TEXT NOT NULL, n INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (job, n)) WITHOUT ROWID;

-- The items of jobs that were sent, and which replay of which dead letter each was; the number is 0 in a dry run. The columns from
-- outcome on follow from replays, forecasts, failures, dead_letters and erased. new is set for a failure whose cause the dead letter did not
-- have before. rev and at are 0 while nothing is known.
CREATE TABLE job_items (
  job TEXT NOT NULL, item INTEGER NOT NULL, step INTEGER NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, number INTEGER NOT NULL,
  outcome TEXT NOT NULL DEFAULT '', failed_step TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', cause TEXT NOT NULL DEFAULT '',
  new INTEGER NOT NULL DEFAULT 0, rev INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (job, item)
) WITHOUT ROWID;
CREATE INDEX job_items_of ON job_items (partition, "offset");

-- How many items of each step of a job have an outcome, and why; revs is the sum of their revs, last when the newest was known.
CREATE TABLE job_counts (
  job TEXT NOT NULL, step INTEGER NOT NULL, outcome TEXT NOT NULL, failed_step TEXT NOT NULL, reason TEXT NOT NULL, cause TEXT NOT NULL,
  new INTEGER NOT NULL, n INTEGER NOT NULL, revs INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (job, step, outcome, failed_step, reason, cause, new)
) WITHOUT ROWID;
CREATE TRIGGER job_items_counted AFTER UPDATE ON job_items
WHEN (old.outcome, old.failed_step, old.reason, old.cause, old.new, old.rev, old.at) IS NOT (new.outcome, new.failed_step, new.reason, new.cause, new.new, new.rev, new.at)
BEGIN
  UPDATE job_counts SET n = n - 1, revs = revs - old.rev
  WHERE job = old.job AND step = old.step AND outcome = old.outcome AND failed_step = old.failed_step AND reason = old.reason AND cause = old.cause AND new = old.new;
  INSERT INTO job_counts (job, step, outcome, failed_step, reason, cause, new, n, revs, last)
  VALUES (new.job, new.step, new.outcome, new.failed_step, new.reason, new.cause, new.new, 1, new.rev, new.at)
  ON CONFLICT DO UPDATE SET n = n + 1, revs = revs + excluded.revs, last = max(last, excluded.last);
END;

-- The outcome of each replay of a dead letter, for each job that asked for it, or for an operator. It may be known before the item of its job. failed_step is
-- the step of the order.
CREATE TABLE replays (
  partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, number INTEGER NOT NULL, job TEXT NOT NULL, outcome TEXT NOT NULL, rev INTEGER NOT NULL,
  at INTEGER NOT NULL, failed_step TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (partition, "offset", number, job)
) WITHOUT ROWID;

-- How many replays there are of what failed for a cause, without those that had nothing to do, and how many were confirmed.
CREATE TABLE cause_replays (cause TEXT PRIMARY KEY, replayed INTEGER NOT NULL, confirmed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER replay_added AFTER INSERT ON replays
BEGIN
  INSERT INTO cause_replays (cause, replayed, confirmed)
  SELECT cause, new.outcome NOT IN ('already-done', 'conflict'), new.outcome = 'confirmed' FROM failures
  WHERE dead_letter = new.partition || '-' || new."offset" AND number = new.number - 1
  ON CONFLICT DO UPDATE SET replayed = replayed + excluded.replayed, confirmed = confirmed + excluded.confirmed;
END;
CREATE TRIGGER replay_changed AFTER UPDATE ON replays WHEN old.outcome <> new.outcome
BEGIN
  UPDATE cause_replays SET
    replayed = replayed + (new.outcome NOT IN ('already-done', 'conflict')) - (old.outcome NOT IN ('already-done', 'conflict')),
    confirmed = confirmed + (new.outcome = 'confirmed') - (old.outcome = 'confirmed')
  WHERE cause = (SELECT cause FROM failures WHERE dead_letter = new.partition || '-' || new."offset" AND number = new.number - 1);
END;
CREATE TRIGGER failure_added AFTER INSERT ON failures
BEGIN
  INSERT INTO cause_replays (cause, replayed, confirmed)
  SELECT new.cause, r.outcome NOT IN ('already-done', 'conflict'), r.outcome = 'confirmed' FROM dead_letters l CROSS JOIN replays r
  WHERE l.id = new.dead_letter AND l."foreign" = '' AND r.partition = l.partition AND r."offset" = l."offset" AND r.number = new.number + 1
  ON CONFLICT DO UPDATE SET replayed = replayed + excluded.replayed, confirmed = confirmed + excluded.confirmed;
END;
CREATE TRIGGER failure_changed AFTER UPDATE ON failures WHEN old.cause <> new.cause
BEGIN
  INSERT INTO cause_replays (cause, replayed, confirmed)
  SELECT c.cause, c.n * (r.outcome NOT IN ('already-done', 'conflict')), c.n * (r.outcome = 'confirmed')
  FROM dead_letters l CROSS JOIN replays r CROSS JOIN (SELECT old.cause AS cause, -1 AS n UNION ALL SELECT new.cause, 1) c
  WHERE l.id = new.dead_letter AND l."foreign" = '' AND r.partition = l.partition AND r."offset" = l."offset" AND r.number = new.number + 1
  ON CONFLICT DO UPDATE SET replayed = replayed + excluded.replayed, confirmed = confirmed + excluded.confirmed;
END;

-- The forecasts of dry runs. value is the JSON of wire.Forecast. A forecast may be known before the item of its job.
CREATE TABLE forecasts (
  job TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, passes INTEGER NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (job, partition, "offset")
) WITHOUT ROWID;
