#!/bin/sh
# Train when the sources or the embeddings changed, then serve. Replicas wait for whoever trains.
set -eu
models=/data/rasa/models
name=$(cat /data/rasa/nlu.npz config.yml credentials.yml generate.py $(find components data domain forms ../services/understanding -type f -not -name "*.pyc" | sort) | sha256sum | cut -c1-16)
mkdir -p "$models"
(
  flock 9
  if [ ! -f "$models/$name.tar.gz" ]; then
    python generate.py --out "$models/.build"
    HUIYING_NLU_EMBEDDINGS=/data/rasa/nlu.npz rasa train --quiet --force --domain "$models/.build/domain" --data data "$models/.build/rules" --out "$models" --fixed-model-name "part-$name"
    mv "$models/part-$name.tar.gz" "$models/$name.tar.gz"
  fi
) 9>"$models/.lock"
exec rasa run --interface 0.0.0.0 --port 5005 --model "$models/$name.tar.gz" --endpoints endpoints.yml --credentials credentials.yml
