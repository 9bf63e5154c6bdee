#!/usr/bin/env bash
# Creates the secrets of the compose files in DIR, each in a directory for the container that reads it, unless they exist. Runs as root
# in a container without a network. With --kafka also the certificates and passwords of compose.production.yaml.
#
#   deploy/compose/secrets.sh DIR [--kafka]
#
# To replace a secret, delete its file and start this again.
set -euo pipefail
umask 077
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
dir=$1 kafka=false
[ "${2-}" = --kafka ] && kafka=true

# The users of the images: distroless, postgres (Alpine), apache/kafka.
readonly program=65532 postgres=70 broker=1000

random() { head -c 24 /dev/urandom | base64 | tr -d '/+=\n'; }

# once FILE COMMAND… writes what a command prints, unless the file exists and is not empty.
once() {
  local file=$1
  shift
  [ -s "$file" ] && return
  "$@" >"$file.part"
  mv "$file.part" "$file"
}

# owned USER NAME… gives directories to the user that reads them.
owned() {
  local user=$1 name
  shift
  for name; do
    # A program in a test runs without root.
    if [ "$(id -u)" -eq 0 ]; then chown -R "$user:$user" "$dir/$name"; fi
  done
}

mkdir -p "$dir/order-api" "$dir/order-worker" "$dir/postgres"
once "$dir/order-api/order-ids" random
once "$dir/postgres/password" random
once "$dir/order-api/pgpass" printf 'postgres:5432:orders:orders:%s\n' "$(cat "$dir/postgres/password")"
owned $program order-api order-worker
owned $postgres postgres
$kafka || exit 0

# The keys of brokers and of the administrator. Their files are protected by their permissions; PKCS12 needs a password anyway.
readonly storepass=keystore

# authority creates the authority that signs all certificates. Its key stays in this directory, which no other container mounts.
authority() {
  keytool -genkeypair -alias ca -dname "CN=orders" -keyalg EC -groupname secp256r1 -validity 3650 -ext bc:c -ext ku:c=kCS,cRLs \
    -storetype PKCS12 -keystore "$dir/authority/ca.p12" -storepass $storepass
}

# certificate DIRECTORY NAME [EXTENSION…] creates a key with a certificate, in one file with the authority's certificate.
certificate() {
  local store=$dir/$1/key.p12 name=$2
  shift 2
  [ -s "$store" ] && return
  rm -f "$store.part"
  local keys=(-storetype PKCS12 -keystore "$store.part" -storepass $storepass)
  keytool -genkeypair -alias key -dname "CN=$name" -keyalg EC -groupname secp256r1 -validity 825 "${keys[@]}"
  keytool -certreq -alias key "${keys[@]}" |
    keytool -gencert -alias ca -storetype PKCS12 -keystore "$dir/authority/ca.p12" -storepass $storepass -validity 825 "$@" -rfc >"$store.crt"
  keytool -importcert -alias ca -file "$dir/authority/ca.pem" -noprompt "${keys[@]}"
  keytool -importcert -alias key -file "$store.crt" -noprompt "${keys[@]}"
  rm "$store.crt"
  mv "$store.part" "$store"
}

# properties is how a broker, and the administrator, reach the listener BROKERS.
properties() {
  printf '%s\n' security.protocol=SSL ssl.keystore.type=PKCS12 ssl.keystore.location=/secrets/key.p12 ssl.keystore.password=$storepass \
    ssl.truststore.type=PKCS12 ssl.truststore.location=/secrets/key.p12 ssl.truststore.password=$storepass
}

mkdir -p "$dir/authority"
[ -s "$dir/authority/ca.p12" ] || authority
once "$dir/authority/ca.pem" keytool -exportcert -alias ca -storetype PKCS12 -keystore "$dir/authority/ca.p12" -storepass $storepass -rfc
for name in kafka-1 kafka-2 kafka-3; do
  mkdir -p "$dir/$name"
  certificate "$name" "$name" -ext "san=dns:$name" -ext eku=sA,cA
  once "$dir/$name/client.properties" properties
done
mkdir -p "$dir/admin" "$dir/topics"
certificate admin admin -ext eku=cA
once "$dir/admin/client.properties" properties
for user in order-api order-worker topics-creator ordersctl; do
  home=$user
  case $user in topics-creator | ordersctl) home=topics ;; esac
  once "$dir/$home/$user.password" random
  cp "$dir/$home/$user.password" "$dir/admin/"
  cp "$dir/authority/ca.pem" "$dir/$home/"
done
owned $program order-api order-worker topics
owned $broker kafka-1 kafka-2 kafka-3 admin
