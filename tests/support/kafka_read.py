"""A topic of Kafka, made where it is not there: says where its brokers are, then each record as a line of JSON."""

import json
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def follow(config, topic):
    consumer = Consumer({**config, "group.id": "test", "enable.auto.commit": False})
    metadata = consumer.list_topics(topic, timeout=30)
    brokers = [f"{broker.host}:{broker.port}" for broker in metadata.brokers.values()]
    partitions = sorted(metadata.topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    print(json.dumps({"brokers": brokers, "partitions": len(partitions)}), flush=True)
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        headers = {name: value.decode() for name, value in message.headers() or []}
        record = {"key": message.key().decode(), "partition": message.partition(), "headers": headers}
        print(json.dumps({**record, "value": message.value().decode()}), flush=True)


def make(config, topic):
    admin = AdminClient(config)
    if topic in admin.list_topics(timeout=30).topics:
        return
    for made in admin.create_topics([NewTopic(topic, 6, 1)]).values():
        made.result(30)
    # A topic may be there later than it was made.
    while topic not in admin.list_topics(timeout=30).topics:
        time.sleep(0.1)


if __name__ == "__main__":
    told = dict(pair.split("=", 1) for pair in sys.argv[2:])
    make(told, sys.argv[1])
    follow(told, sys.argv[1])
