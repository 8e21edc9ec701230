"""A mock cluster of Kafka, librdkafka's, with one topic: says where its brokers are, then each record as a line of JSON."""

import sys

from confluent_kafka import Producer
from kafka_read import follow

topic = sys.argv[1]
cluster = Producer({"test.mock.num.brokers": 2, "bootstrap.servers": "mock"})
# Asking for a topic makes it.
metadata = cluster.list_topics(topic, timeout=30)
follow({"bootstrap.servers": ",".join(f"{broker.host}:{broker.port}" for broker in metadata.brokers.values())}, topic)
