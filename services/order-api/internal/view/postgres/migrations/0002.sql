-- The words of refunds, and counts, which sqlite/schema.sql describes. The counts of orders are changed by the instance that
-- writes, those of dead letters by triggers: one for a statement, which may change many dead letters of a cause.

CREATE TABLE refund_words (
  word TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, row BIGINT NOT NULL, PRIMARY KEY (word, at, row)
);

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

DELETE FROM topics;
