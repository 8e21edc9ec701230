"""Has ClickHouse's engine load folders of Parquet files as deploy/clickhouse says, and prints what the union comes to."""
import json
import pathlib
import sys

from chdb import session

sql, folders = pathlib.Path(sys.argv[1]), sys.argv[2:]
clickhouse = session.Session()


def statements(file, **words):
    text = "\n".join(line for line in (sql / file).read_text().splitlines() if not line.lstrip().startswith("--"))
    for word, value in words.items():
        text = text.replace(word, value)
    return [statement for statement in map(str.strip, text.split(";")) if statement]


def ask(query):
    return [json.loads(line) for line in str(clickhouse.query(query, "JSONEachRow")).splitlines()]


for statement in statements("schema.sql"):
    clickhouse.query(statement)
for folder in folders:
    for statement in statements("load.sql", FOLDER=folder):
        clickhouse.query(statement)
quiet = "SETTINGS output_format_json_quote_64bit_integers = 0"
rows = ask(
    "SELECT family, toString(list_day) AS list_day, source, matches, responses, distinct_names, known_collisions, set_aside, role, "
    "verdict, reader, toUnixTimestamp64Micro(first_seen) AS first_seen, toUnixTimestamp64Micro(last_seen) AS last_seen, "
    "length(sensors) AS sensors, port, transport "
    f"FROM dgawatch.verdicts ORDER BY family, list_day, source {quiet}"
)
sketches = ask(
    "SELECT family, toString(list_day) AS list_day, uniqMerge(seen) AS seen, uniqIfMerge(infected_alone) AS infected_alone "
    f"FROM dgawatch.source_counts GROUP BY family, list_day ORDER BY family, list_day {quiet}"
)
answers = [ask(f"{query}\n{quiet}") for query in statements("queries.sql")]
print(json.dumps({"verdicts": rows, "source_counts": sketches, "queries": answers}))
