-- The tables are those of sqlite/schema.sql, which describes them, with the same columns and indexes. Columns that sort
-- or have a range compare bytes, as in SQLite.

CREATE TABLE topics (name TEXT PRIMARY KEY, id BYTEA NOT NULL);
CREATE TABLE positions (
  topic TEXT NOT NULL, partition BIGINT NOT NULL, next BIGINT NOT NULL, epoch BIGINT NOT NULL, claim BIGINT NOT NULL, stale BIGINT NOT NULL,
  PRIMARY KEY (topic, partition)
);

CREATE TABLE orders (
  rowid BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  id TEXT COLLATE "C" PRIMARY KEY, partition BIGINT NOT NULL, "offset" BIGINT NOT NULL, placed_at BIGINT NOT NULL,
  status TEXT NOT NULL, rev BIGINT NOT NULL, begun BOOLEAN NOT NULL, state_at BIGINT NOT NULL, words TEXT NOT NULL,
  refund_of TEXT NOT NULL, owner TEXT NOT NULL, reference TEXT NOT NULL, value BYTEA NOT NULL
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

CREATE TABLE order_words (
  word TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, row BIGINT NOT NULL, PRIMARY KEY (word, at, row)
);

CREATE TABLE dead_letters (
  rowid BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  id TEXT COLLATE "C" PRIMARY KEY, "foreign" TEXT NOT NULL, topic TEXT NOT NULL, partition BIGINT NOT NULL, "offset" BIGINT NOT NULL, key TEXT NOT NULL,
  dlq_partition BIGINT NOT NULL, dlq_offset BIGINT NOT NULL, gone BOOLEAN NOT NULL,
  step TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, attempts BIGINT NOT NULL,
  first_failed BIGINT NOT NULL, last_failed BIGINT NOT NULL, worker TEXT NOT NULL, trace TEXT NOT NULL, replays BIGINT NOT NULL,
  rev BIGINT NOT NULL, cause TEXT NOT NULL, text TEXT NOT NULL, words TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open', erased BOOLEAN NOT NULL DEFAULT false, discarded BIGINT NOT NULL DEFAULT 0,
  edited BIGINT NOT NULL DEFAULT 0, notes BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX dead_letters_state ON dead_letters (state, last_failed, id);
CREATE INDEX dead_letters_cause ON dead_letters (cause, state, last_failed, id, first_failed, step, reason, class, "foreign");
CREATE INDEX dead_letters_step ON dead_letters (step, state, last_failed, id);
CREATE INDEX dead_letters_class ON dead_letters (class, state, last_failed, id);
CREATE INDEX dead_letters_reason ON dead_letters (reason, state, last_failed, id);
CREATE INDEX dead_letters_foreign ON dead_letters ("foreign", state, last_failed, id);
CREATE INDEX dead_letters_touched ON dead_letters ("foreign", dlq_partition, dlq_offset)
  WHERE "foreign" <> '' AND (state NOT IN ('open', 'sent') OR edited <> 0);
CREATE INDEX dead_letters_record ON dead_letters ("foreign", dlq_partition, dlq_offset);

CREATE TABLE dead_letter_words (
  word TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, row BIGINT NOT NULL, PRIMARY KEY (word, at, row)
);

CREATE TABLE failures (
  dead_letter TEXT NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL, step TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL,
  message TEXT NOT NULL, attempts BIGINT NOT NULL, worker TEXT NOT NULL, cause TEXT NOT NULL, dlq_partition BIGINT NOT NULL,
  dlq_offset BIGINT NOT NULL, edit BIGINT NOT NULL, PRIMARY KEY (dead_letter, number)
);

CREATE TABLE decisions (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT COLLATE "C" NOT NULL UNIQUE, at BIGINT NOT NULL, actor TEXT NOT NULL, trace TEXT NOT NULL, kind TEXT NOT NULL,
  target TEXT NOT NULL, grouped BOOLEAN NOT NULL, text TEXT NOT NULL, version BIGINT NOT NULL, value BYTEA
);
CREATE INDEX decisions_target ON decisions (target, kind, version);

CREATE TABLE sent_on (
  "foreign" TEXT NOT NULL, partition BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, PRIMARY KEY ("foreign", partition, first)
);

CREATE TABLE sent_by (job TEXT NOT NULL, partition BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, PRIMARY KEY (job, partition, first));

CREATE TABLE erased (id TEXT COLLATE "C" PRIMARY KEY, at BIGINT NOT NULL, partition BIGINT NOT NULL, "offset" BIGINT NOT NULL);
CREATE INDEX erased_offset ON erased (partition, "offset");

CREATE TABLE acts (
  id TEXT COLLATE "C" PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, act TEXT NOT NULL, target TEXT NOT NULL, reason TEXT NOT NULL,
  outcome TEXT NOT NULL, problem TEXT NOT NULL, address TEXT NOT NULL, count BIGINT NOT NULL
);
CREATE INDEX acts_at ON acts (at, id);
CREATE INDEX acts_actor ON acts (actor, at, id);
CREATE INDEX acts_act ON acts (act, at, id);
CREATE INDEX acts_target ON acts (target, at, id);
CREATE INDEX acts_outcome ON acts (outcome, at, id);

CREATE TABLE jobs (
  id TEXT COLLATE "C" PRIMARY KEY, at BIGINT NOT NULL, partition BIGINT NOT NULL, final BOOLEAN NOT NULL, value TEXT NOT NULL
);
CREATE INDEX jobs_at ON jobs (at, id);
CREATE INDEX jobs_open ON jobs (partition, at, id) WHERE NOT final;
CREATE TABLE job_chunks (job TEXT NOT NULL, n BIGINT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (job, n));

CREATE TABLE job_items (
  job TEXT NOT NULL, item BIGINT NOT NULL, step BIGINT NOT NULL, partition BIGINT NOT NULL, "offset" BIGINT NOT NULL, number BIGINT NOT NULL,
  outcome TEXT NOT NULL DEFAULT '', failed_step TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', cause TEXT NOT NULL DEFAULT '',
  new BOOLEAN NOT NULL DEFAULT false, rev BIGINT NOT NULL DEFAULT 0, at BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (job, item)
);
CREATE INDEX job_items_of ON job_items (partition, "offset");

CREATE TABLE job_counts (
  job TEXT NOT NULL, step BIGINT NOT NULL, outcome TEXT COLLATE "C" NOT NULL, failed_step TEXT COLLATE "C" NOT NULL, reason TEXT COLLATE "C" NOT NULL, cause TEXT COLLATE "C" NOT NULL,
  new BOOLEAN NOT NULL, n BIGINT NOT NULL, revs BIGINT NOT NULL, last BIGINT NOT NULL, PRIMARY KEY (job, step, outcome, failed_step, reason, cause, new)
);
CREATE OR REPLACE FUNCTION count_job_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE job_counts c SET n = c.n - 1, revs = c.revs - old.rev
  WHERE c.job = old.job AND c.step = old.step AND c.outcome = old.outcome AND c.failed_step = old.failed_step AND c.reason = old.reason
    AND c.cause = old.cause AND c.new = old.new;
  INSERT INTO job_counts AS c (job, step, outcome, failed_step, reason, cause, new, n, revs, last)
  VALUES (new.job, new.step, new.outcome, new.failed_step, new.reason, new.cause, new.new, 1, new.rev, new.at)
  ON CONFLICT ON CONSTRAINT job_counts_pkey
  DO UPDATE SET n = c.n + 1, revs = c.revs + excluded.revs, last = greatest(c.last, excluded.last);
  RETURN NULL;
END $$;
CREATE TRIGGER job_items_counted AFTER UPDATE ON job_items FOR EACH ROW
WHEN ((old.outcome, old.failed_step, old.reason, old.cause, old.new, old.rev, old.at)
  IS DISTINCT FROM (new.outcome, new.failed_step, new.reason, new.cause, new.new, new.rev, new.at))
EXECUTE FUNCTION count_job_item();

CREATE TABLE replays (
  partition BIGINT NOT NULL, "offset" BIGINT NOT NULL, number BIGINT NOT NULL, job TEXT NOT NULL, outcome TEXT NOT NULL, rev BIGINT NOT NULL,
  at BIGINT NOT NULL, failed_step TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (partition, "offset", number, job)
);

CREATE TABLE forecasts (
  job TEXT NOT NULL, partition BIGINT NOT NULL, "offset" BIGINT NOT NULL, passes BOOLEAN NOT NULL, at BIGINT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (job, partition, "offset")
);

CREATE TABLE refund_words (
  word TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, row BIGINT NOT NULL, PRIMARY KEY (word, at, row)
);

-- The counts of orders are changed by the instance that writes, those of dead letters by triggers: one for a statement, which
-- may change many dead letters of a cause.
CREATE TABLE order_counts (status TEXT PRIMARY KEY, n BIGINT NOT NULL);

CREATE TABLE dead_letter_counts (
  hour BIGINT NOT NULL, cause TEXT NOT NULL, state TEXT NOT NULL, class TEXT NOT NULL, step TEXT NOT NULL, reason TEXT NOT NULL,
  "foreign" TEXT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (hour, cause, state, class, step, reason, "foreign")
);
CREATE INDEX dead_letters_first ON dead_letters (cause, state, class, first_failed);
CREATE OR REPLACE FUNCTION count_added_dead_letters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO dead_letter_counts AS c (hour, cause, state, class, step, reason, "foreign", n)
  SELECT h.hour, cause, state, class, step, reason, "foreign", count(*)
  FROM added CROSS JOIN LATERAL (VALUES (-1), (greatest(last_failed, 0) / 3600000)) AS h(hour) GROUP BY 1, 2, 3, 4, 5, 6, 7
  ON CONFLICT ON CONSTRAINT dead_letter_counts_pkey DO UPDATE SET n = c.n + excluded.n;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION count_changed_dead_letters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO dead_letter_counts AS c (hour, cause, state, class, step, reason, "foreign", n)
  SELECT h.hour, cause, state, class, step, reason, "foreign", sum(d.n) FROM (
    SELECT cause, state, class, step, reason, "foreign", last_failed, -1 AS n FROM was
    UNION ALL SELECT cause, state, class, step, reason, "foreign", last_failed, 1 FROM changed) d
  CROSS JOIN LATERAL (VALUES (-1), (greatest(last_failed, 0) / 3600000)) AS h(hour) GROUP BY 1, 2, 3, 4, 5, 6, 7 HAVING sum(d.n) <> 0
  ON CONFLICT ON CONSTRAINT dead_letter_counts_pkey DO UPDATE SET n = c.n + excluded.n;
  RETURN NULL;
END $$;
CREATE TRIGGER dead_letter_added AFTER INSERT ON dead_letters REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION count_added_dead_letters();
CREATE TRIGGER dead_letter_changed AFTER UPDATE ON dead_letters REFERENCING OLD TABLE AS was NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION count_changed_dead_letters();

CREATE TABLE cause_replays (cause TEXT PRIMARY KEY, replayed BIGINT NOT NULL, confirmed BIGINT NOT NULL);
CREATE OR REPLACE FUNCTION count_replay() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  more BIGINT := CAST(new.outcome NOT IN ('already-done', 'conflict') AS INTEGER);
  better BIGINT := CAST(new.outcome = 'confirmed' AS INTEGER);
BEGIN
  IF TG_OP = 'UPDATE' THEN
    more := more - CAST(old.outcome NOT IN ('already-done', 'conflict') AS INTEGER);
    better := better - CAST(old.outcome = 'confirmed' AS INTEGER);
  END IF;
  INSERT INTO cause_replays AS c (cause, replayed, confirmed)
  SELECT f.cause, more, better FROM failures f
  WHERE f.dead_letter = new.partition || '-' || new."offset" AND f.number = new.number - 1
  ON CONFLICT ON CONSTRAINT cause_replays_pkey
  DO UPDATE SET replayed = c.replayed + excluded.replayed, confirmed = c.confirmed + excluded.confirmed;
  RETURN NULL;
END $$;
CREATE TRIGGER replay_added AFTER INSERT ON replays FOR EACH ROW EXECUTE FUNCTION count_replay();
CREATE TRIGGER replay_changed AFTER UPDATE ON replays FOR EACH ROW WHEN (old.outcome <> new.outcome) EXECUTE FUNCTION count_replay();
CREATE OR REPLACE FUNCTION count_replays_of_failure() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  causes TEXT[] := ARRAY[new.cause];
  signs BIGINT[] := ARRAY[1];
BEGIN
  IF TG_OP = 'UPDATE' THEN
    causes := ARRAY[old.cause, new.cause];
    signs := ARRAY[-1, 1];
  END IF;
  INSERT INTO cause_replays AS c (cause, replayed, confirmed)
  SELECT s.cause, s.n * count(*) FILTER (WHERE r.outcome NOT IN ('already-done', 'conflict')), s.n * count(*) FILTER (WHERE r.outcome = 'confirmed')
  FROM dead_letters l JOIN replays r ON r.partition = l.partition AND r."offset" = l."offset" CROSS JOIN unnest(causes, signs) AS s(cause, n)
  WHERE l.id = new.dead_letter AND l."foreign" = '' AND r.number = new.number + 1 GROUP BY s.cause, s.n
  ON CONFLICT ON CONSTRAINT cause_replays_pkey
  DO UPDATE SET replayed = c.replayed + excluded.replayed, confirmed = c.confirmed + excluded.confirmed;
  RETURN NULL;
END $$;
CREATE TRIGGER failure_added AFTER INSERT ON failures FOR EACH ROW EXECUTE FUNCTION count_replays_of_failure();
CREATE TRIGGER failure_changed AFTER UPDATE ON failures FOR EACH ROW WHEN (old.cause <> new.cause) EXECUTE FUNCTION count_replays_of_failure();
