"""Reads the Parquet files of a folder with an engine, and prints columns, then rows as JSON lines in the order of their keys."""
import json
import sys

engine, folder, kind = sys.argv[1:4]
columns = {
    "evidence": "sensor, family, list_day, source, network, matches, responses, names, collisions, first_seen, last_seen, port, "
    "transport, recursive, iterative, most, answers_others, server, role, verdict, names_needed, names_needed_of_crowd, set_aside, "
    "reader, hosts_low, hosts_best, hosts_high, hosts_method, hosts_refused, capture_loss",
    "lists": "sensor, family, list_day, names, names_needed, names_needed_of_crowd, background, measured, habit, habit_names, "
    "habit_pace",
    "servers": "sensor, server",
    "sketches": "sensor, family, hour, scope, hex(sketch) AS sketch, estimate",
}[kind]
files = f"{folder}/{kind}/{'*' if kind == 'servers' else '**/*'}.parquet"
names = [column.split(" AS ")[-1] for column in columns.split(", ")]
times = {"first_seen", "last_seen", "hour"}
selected = columns
if engine == "duckdb":
    import duckdb

    table = f"read_parquet('{files}', hive_partitioning = false)"
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT {columns} FROM {table}").fetchall()}
    # The layout of Hive is understood too, and says the same.
    if kind == "evidence":
        same = f"read_parquet('{files}', hive_partitioning = true)"
        counts = [connection.execute(f"SELECT count(*) FROM {of} WHERE list_day > DATE '1970-01-01'").fetchone() for of in (table, same)]
        assert counts[0] == counts[1], counts
    selected = ", ".join(f"epoch_us({name})" if name in times else column for name, column in zip(names, columns.split(", ")))
    rows = connection.execute(f"SELECT {selected} FROM {table}").fetchall()
    version = connection.execute(
        f"SELECT DISTINCT decode(value) FROM parquet_kv_metadata('{files}') WHERE decode(key) = 'dgawatch.schema'"
    ).fetchall()
    assert version == [("1",)], version
else:
    import chdb

    table = f"file('{files}', 'Parquet')"
    settings = "SETTINGS use_hive_partitioning = 0"

    def query(text, form):
        return str(chdb.query(text, form))

    described = query(f"DESCRIBE (SELECT {columns} FROM {table} {settings})", "JSONEachRow").splitlines()
    types = {row["name"]: row["type"] for row in map(json.loads, described)}
    selected = ", ".join(
        f"toUnixTimestamp64Micro({name}) AS t_{name}" if name in times else column for name, column in zip(names, columns.split(", "))
    )
    options = settings + ", output_format_json_quote_64bit_integers = 0"
    rows = [json.loads(line) for line in query(f"SELECT {selected} FROM {table} {options}", "JSONCompactEachRow").splitlines()]
print(json.dumps(types))
lines = []
for row in rows:
    row = dict(zip(names, row))
    lines.append({name: str(value) if name == "list_day" else value for name, value in row.items()})
lines.sort(key=lambda row: json.dumps([row.get(name) for name in ("sensor", "family", "list_day", "source", "server", "hour", "scope")]))
for line in lines:
    print(json.dumps(line))
