-- dgawatch in ClickHouse: the union of what many sensors wrote with `--parquet`, kept as ClickHouse's own states.
-- docs/PARQUET.md says what the columns are. Load files with load.sql, any file as often as you like: nothing is counted twice.

CREATE DATABASE IF NOT EXISTS dgawatch;

-- Evidence on its way in. Nothing is kept here: the views below take what they need.
CREATE TABLE IF NOT EXISTS dgawatch.evidence
(
    file LowCardinality(String),
    sensor LowCardinality(String),
    family LowCardinality(String),
    list_day Date32,
    source String,
    network LowCardinality(Nullable(String)),
    matches UInt64,
    responses UInt64,
    names Array(UInt32),
    collisions Array(UInt32),
    first_seen DateTime64(6, 'UTC'),
    last_seen DateTime64(6, 'UTC'),
    port UInt16,
    transport LowCardinality(String),
    recursive UInt16,
    iterative UInt16,
    most UInt32,
    answers_others Bool,
    server Nullable(String),
    role LowCardinality(String),
    verdict LowCardinality(String),
    reader Bool,
    capture_loss Nullable(Float64)
)
ENGINE = Null;

-- What each file says of each source. A file is replaced by a later one of the same name, whose counts are as high or higher:
-- the maximum is the later one, however often and in whatever order they are loaded. Names unite.
CREATE TABLE IF NOT EXISTS dgawatch.sources
(
    family LowCardinality(String),
    list_day Date32,
    source String,
    sensor LowCardinality(String),
    file LowCardinality(String),
    network SimpleAggregateFunction(anyLast, Nullable(String)),
    matches SimpleAggregateFunction(max, UInt64),
    responses SimpleAggregateFunction(max, UInt64),
    names AggregateFunction(groupBitmap, UInt32),
    collisions AggregateFunction(groupBitmap, UInt32),
    first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    latest AggregateFunction(argMax, Tuple(UInt16, String), Tuple(DateTime64(6, 'UTC'), UInt16, String)),
    recursive SimpleAggregateFunction(max, UInt16),
    iterative SimpleAggregateFunction(max, UInt16),
    most SimpleAggregateFunction(max, UInt32),
    server SimpleAggregateFunction(anyLast, Nullable(String)),
    masked SimpleAggregateFunction(max, UInt8),
    capture_loss SimpleAggregateFunction(anyLast, Nullable(Float64))
)
ENGINE = AggregatingMergeTree
ORDER BY (family, list_day, source, sensor, file);

CREATE MATERIALIZED VIEW IF NOT EXISTS dgawatch.evidence_to_sources TO dgawatch.sources AS
SELECT
    family, list_day, source, sensor, file, network, matches, responses,
    arrayReduce('groupBitmapState', names) AS names,
    arrayReduce('groupBitmapState', collisions) AS collisions,
    first_seen, last_seen,
    initializeAggregation('argMaxState', (port, toString(transport)), (last_seen, port, if(transport = 'tcp', '1', '0'))) AS latest,
    recursive, iterative, most, server,
    role = 'unknown' AS masked,
    capture_loss
FROM dgawatch.evidence;

-- Different sources of each list, without a row for each: a sketch for long times, with an error of 1 to 2 %.
CREATE TABLE IF NOT EXISTS dgawatch.source_counts
(
    family LowCardinality(String),
    list_day Date32,
    seen AggregateFunction(uniq, String),
    infected_alone AggregateFunction(uniqIf, String, UInt8)
)
ENGINE = AggregatingMergeTree
ORDER BY (family, list_day);

CREATE MATERIALIZED VIEW IF NOT EXISTS dgawatch.evidence_to_source_counts TO dgawatch.source_counts AS
SELECT family, list_day, uniqState(source) AS seen, uniqIfState(source, toUInt8(verdict = 'infected')) AS infected_alone
FROM dgawatch.evidence
GROUP BY family, list_day;

-- Who was seen to answer for listed names.
CREATE TABLE IF NOT EXISTS dgawatch.servers
(
    server String
)
ENGINE = ReplacingMergeTree
ORDER BY server;

-- What verdicts on each list rest on.
CREATE TABLE IF NOT EXISTS dgawatch.lists
(
    family LowCardinality(String),
    list_day Date32,
    names SimpleAggregateFunction(max, UInt32),
    names_needed SimpleAggregateFunction(max, UInt32),
    names_needed_of_crowd SimpleAggregateFunction(max, UInt32),
    habit SimpleAggregateFunction(anyLast, Nullable(String)),
    habit_names SimpleAggregateFunction(anyLast, Nullable(UInt32)),
    habit_pace SimpleAggregateFunction(anyLast, Nullable(Float64))
)
ENGINE = AggregatingMergeTree
ORDER BY (family, list_day);

-- One row a list, whatever sensors it came from: where a placebo measured chance (docs/FAMILIES.md), the strictest.
CREATE VIEW IF NOT EXISTS dgawatch.rules AS
SELECT
    family, list_day, max(names_needed) AS names_needed, max(names_needed_of_crowd) AS names_needed_of_crowd,
    max(names) AS list_names, anyLast(habit) AS habit, anyLast(habit_names) AS habit_names, anyLast(habit_pace) AS habit_pace
FROM dgawatch.lists
GROUP BY family, list_day;

-- The union: one row a source, family and list day, as one sensor would have it that saw all packets.
CREATE VIEW IF NOT EXISTS dgawatch.merged AS
SELECT
    family, list_day, source,
    any(network) AS network,
    groupUniqArray(sensor) AS sensors,
    sum(matches) AS matches,
    sum(responses) AS responses,
    groupBitmapMergeState(names) AS names,
    groupBitmapMergeState(collisions) AS collisions,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen,
    argMaxMerge(latest) AS latest,
    least(sum(recursive), 255) AS recursive,
    least(sum(iterative), 255) AS iterative,
    max(most) AS most,
    -- The lowest address, IPv4 before IPv6.
    argMin(server, (isIPv6String(server), toIPv6OrDefault(server))) AS server,
    max(masked) AS masked,
    max(capture_loss) AS capture_loss
FROM
(
    SELECT
        family, list_day, source, sensor, file,
        anyLast(network) AS network,
        max(matches) AS matches, max(responses) AS responses,
        groupBitmapMergeState(names) AS names, groupBitmapMergeState(collisions) AS collisions,
        min(first_seen) AS first_seen, max(last_seen) AS last_seen, argMaxMergeState(latest) AS latest,
        max(recursive) AS recursive, max(iterative) AS iterative, max(most) AS most,
        anyLast(server) AS server, max(masked) AS masked, max(capture_loss) AS capture_loss
    FROM dgawatch.sources
    GROUP BY family, list_day, source, sensor, file
)
GROUP BY family, list_day, source;

-- Names that tell nothing, since most who ask for them ask for hardly anything else of the list: it is somebody's. Of a list
-- with many of them none is (src/ledger/askers.rs).
CREATE VIEW IF NOT EXISTS dgawatch.names_set_aside AS
SELECT family, list_day, groupArray(name) AS names_aside
FROM
(
    SELECT family, list_day, name, count() AS askers, countIf(distinct_names >= names_needed) AS of_many, any(list_names) AS list_names
    FROM
    (
        SELECT
            family, list_day, names_needed, list_names,
            bitmapCardinality(names) AS distinct_names, arrayJoin(bitmapToArray(names)) AS name
        FROM dgawatch.merged AS of_source
        INNER JOIN dgawatch.rules AS rule USING (family, list_day)
    )
    GROUP BY family, list_day, name
    HAVING askers >= 5 AND 2 * of_many < askers
)
GROUP BY family, list_day
HAVING count() <= greatest(intDiv(any(list_names), 100), 5);

-- The union with its verdicts, by the rule that a sensor judges by (src/ledger/evidence.rs, role.rs, rule.rs, verdict.rs).
CREATE VIEW IF NOT EXISTS dgawatch.verdicts AS
SELECT
    family, list_day, source, network, sensors, matches, responses,
    distinct_names, known_collisions, set_aside, distinct_names - least(distinct_names, known_collisions + set_aside) AS telling_names,
    first_seen, last_seen, latest.1 AS port, latest.2 AS transport, role,
    if(role IN ('forwarder', 'resolver'), names_needed_of_crowd, names_needed) AS needed,
    CAST(multiIf(
        habit = 'sample',
        most * habit_pace / 10 > 5 * ln(greatest(list_names - distinct_names, 3) / list_names) / log1p(-habit_names / list_names) + 5,
        habit = 'all',
        5 * most >= 4 * list_names AND greatest(matches, responses) < 3 * distinct_names,
        false) AS Bool) AS reader,
    if(telling_names >= needed AND NOT reader, 'infected', 'suspect') AS verdict,
    capture_loss
FROM
(
    SELECT
        family, list_day, source, network, sensors, matches, responses, first_seen, last_seen, latest, most, capture_loss,
        names_needed, names_needed_of_crowd, list_names, habit, habit_names, habit_pace,
        bitmapCardinality(names) AS distinct_names,
        bitmapCardinality(collisions) AS known_collisions,
        -- Of who has more than 64 names the others are enough.
        if(distinct_names <= 64, length(arrayIntersect(bitmapToArray(names), names_aside)), 0) AS set_aside,
        multiIf(
            masked > 0, 'unknown',
            iterative > recursive, 'resolver',
            source NOT IN (SELECT server FROM dgawatch.servers), 'client',
            (family, list_day, ifNull(server, '')) IN (SELECT family, list_day, source FROM dgawatch.sources), 'forwarder',
            'resolver') AS role
    FROM dgawatch.merged AS of_source
    INNER JOIN dgawatch.rules AS rule USING (family, list_day)
    LEFT JOIN dgawatch.names_set_aside AS aside USING (family, list_day)
);
