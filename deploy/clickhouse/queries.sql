-- Questions to the union of all sensors.

-- How many sources of each family are infected, and how many asked, on each day: exact.
SELECT family, list_day, uniqExactIf(source, verdict = 'infected') AS infected, uniqExact(source) AS sources,
    sum(matches) AS matches, sum(responses) AS responses
FROM dgawatch.verdicts
GROUP BY family, list_day
ORDER BY family, list_day;

-- The same for long times, from sketches: no row a source is read.
SELECT family, toStartOfMonth(list_day) AS month, uniqMerge(seen) AS sources
FROM dgawatch.source_counts
GROUP BY family, month
ORDER BY family, month;

-- Infected sources of the latest day, those seen by most sensors first.
SELECT source, any(network) AS network, groupUniqArray(family) AS families, max(length(sensors)) AS by_sensors,
    min(first_seen) AS since, max(last_seen) AS until
FROM dgawatch.verdicts
WHERE verdict = 'infected' AND list_day = (SELECT max(list_day) FROM dgawatch.sources)
GROUP BY source
ORDER BY by_sensors DESC, source
LIMIT 100;

-- Sources that no sensor could judge alone, and all together can.
SELECT merged.family, merged.list_day, merged.source, merged.distinct_names, merged.sensors
FROM dgawatch.verdicts AS merged
INNER JOIN
(
    SELECT family, list_day, source, max(bitmapCardinality(names)) AS most_of_one
    FROM dgawatch.sources GROUP BY family, list_day, source, sensor, file
) AS alone ON alone.family = merged.family AND alone.list_day = merged.list_day AND alone.source = merged.source
WHERE merged.verdict = 'infected'
GROUP BY ALL
HAVING max(alone.most_of_one) < any(merged.needed)
ORDER BY merged.family, merged.list_day, merged.source;
