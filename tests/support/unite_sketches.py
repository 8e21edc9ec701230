"""Unites the hourly sketches of a folder by Apache DataSketches' own library, and prints what each union comes to."""
import json
import sys

import duckdb
from datasketches import hll_sketch, hll_union

files = f"{sys.argv[1]}/sketches/**/*.parquet"
unions = {}
for family, scope, sketch in duckdb.sql(
    f"SELECT family, scope, sketch FROM read_parquet('{files}', hive_partitioning = false)"
).fetchall():
    unions.setdefault(f"{family} {scope}", hll_union(12)).update(hll_sketch.deserialize(sketch))
print(json.dumps({name: union.get_estimate() for name, union in unions.items()}))
