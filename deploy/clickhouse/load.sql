-- Loads what sensors wrote into FOLDER: put its path here, or `s3('https://…/evidence/**/*.parquet', …)` for `file(…)`. A server reads
-- files below its user_files_path alone; `clickhouse local` reads any.
-- Loading a file again changes nothing but what is new in it.

INSERT INTO dgawatch.lists
SELECT family, list_day, names, names_needed, names_needed_of_crowd, habit, habit_names, habit_pace
FROM file('FOLDER/lists/**/*.parquet', 'Parquet')
SETTINGS use_hive_partitioning = 0;

INSERT INTO dgawatch.servers
SELECT server FROM file('FOLDER/servers/*.parquet', 'Parquet')
SETTINGS use_hive_partitioning = 0;

INSERT INTO dgawatch.evidence
SELECT
    _file AS file, sensor, family, list_day, source, network, matches, responses, names, collisions, first_seen, last_seen, port,
    transport, recursive, iterative, most, answers_others, server, role, verdict, reader, capture_loss
FROM file('FOLDER/evidence/**/*.parquet', 'Parquet')
SETTINGS use_hive_partitioning = 0;
