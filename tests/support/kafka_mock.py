"""A mock cluster of Kafka, librdkafka's, with one topic: says where its brokers are, then each record as a line of JSON."""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

topic = sys.argv[1]
cluster = Producer({"test.mock.num.brokers": 2, "bootstrap.servers": "mock"})
# Asking for a topic makes it.
metadata = cluster.list_topics(topic, timeout=30)
brokers = [f"{broker.host}:{broker.port}" for broker in metadata.brokers.values()]
partitions = sorted(metadata.topics[topic].partitions)
print(json.dumps({"brokers": brokers, "partitions": len(partitions)}), flush=True)
consumer = Consumer({"bootstrap.servers": ",".join(brokers), "group.id": "test", "enable.auto.commit": False})
consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
while True:
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    headers = {name: value.decode() for name, value in message.headers() or []}
    record = {"key": message.key().decode(), "partition": message.partition(), "headers": headers, "value": message.value().decode()}
    print(json.dumps(record), flush=True)
