#!/usr/bin/env bash
# Gives each program its SCRAM password and what acls.sh grants it. compose.production.yaml runs it as the administrator of Kafka.
#
#   deploy/compose/users.sh SECRETS ACLS BROKER     SECRETS has client.properties and NAME.password for each program
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
secrets=$1 acls=$2
kafka=(--bootstrap-server "$3" --command-config "$secrets/client.properties")
bin=${KAFKA_BIN:-/opt/kafka/bin}
for user in order-api order-worker ordersctl topics-creator; do
  "$bin/kafka-configs.sh" "${kafka[@]}" --alter --entity-type users --entity-name "$user" \
    --add-config "SCRAM-SHA-512=[password=$(cat "$secrets/$user.password")]"
done
bash "$acls" "$bin/kafka-acls.sh" "${kafka[@]}"
