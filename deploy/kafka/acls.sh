#!/usr/bin/env bash
# Grants each program what it needs in Kafka, and no more. acls.md says what each row is for. Running it again changes nothing.
#
#   [PREFIX=orders] [GROUP=order-workers] deploy/kafka/acls.sh kafka-acls.sh --bootstrap-server HOST:PORT --command-config ADMIN.properties
#
# API, WORKER, OPERATOR and CREATOR name the principals, without "User:". With certificates (mTLS) that is the subject: API=CN=order-api.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
prefix=${PREFIX:-orders} group=${GROUP:-order-workers}
api=${API:-order-api} worker=${WORKER:-order-worker} operator=${OPERATOR:-ordersctl} creator=${CREATOR:-topics-creator}
command=("$@")

# allow PRINCIPAL OPERATION[,OPERATION…] KIND NAME…
allow() {
  local principal=$1 operations=$2 kind=$3 what=() name operation
  shift 3
  for name; do if [ "$kind" = cluster ]; then what+=(--cluster); else what+=("--$kind" "$name"); fi; done
  for operation in ${operations//,/ }; do what+=(--operation "$operation"); done
  if [ "$kind" = transactional-id ]; then what+=(--resource-pattern-type prefixed); fi
  "${command[@]}" --add --allow-principal "User:$principal" "${what[@]}"
}

allow "$api" Read,Write,DescribeConfigs topic "$prefix" "$prefix.desk"
allow "$api" Read,DescribeConfigs topic "$prefix.status" "$prefix.invoices" "$prefix.dlq" "$prefix.workers"
allow "$api" Write,DescribeConfigs topic "$prefix.replay"
allow "$api" Describe,DescribeConfigs topic "$prefix.retry.10s" "$prefix.retry.2m" "$prefix.waiting"
allow "$api" Describe group "$group"
allow "$api" Read group "$prefix.desk"
allow "$api" Write transactional-id "$prefix.desk."
allow "$api" Describe cluster kafka-cluster

# For each topic of --dlq-topic, and for each topic that its dead letters are replayed to:
# allow "$api" Read,DescribeConfigs topic billing-dlt
# allow "$api" Write,DescribeConfigs topic billing

allow "$worker" Read,DescribeConfigs topic "$prefix" "$prefix.replay"
allow "$worker" Read,Write,DescribeConfigs topic "$prefix.retry.10s" "$prefix.retry.2m" "$prefix.waiting" "$prefix.status" "$prefix.invoices" "$prefix.dlq"
allow "$worker" Write,DescribeConfigs topic "$prefix.desk" "$prefix.workers"
allow "$worker" Read group "$group"
allow "$worker" DescribeConfigs cluster kafka-cluster
# With --group-protocol consumer:
# allow "$worker" DescribeConfigs group "$group"
# To detect a second group of workers on the same topics before it claims partitions:
# allow "$worker" Describe group '*'

allow "$operator" Read,DescribeConfigs topic "$prefix" "$prefix.retry.10s" "$prefix.retry.2m" "$prefix.waiting" "$prefix.replay" "$prefix.status" "$prefix.desk" "$prefix.workers"
allow "$operator" Read,Write,DescribeConfigs topic "$prefix.invoices" "$prefix.dlq"
allow "$operator" Describe group "$group"

allow "$creator" Create,Describe topic "$prefix" "$prefix.retry.10s" "$prefix.retry.2m" "$prefix.waiting" "$prefix.replay" "$prefix.status" "$prefix.invoices" "$prefix.dlq" "$prefix.desk" "$prefix.workers"
