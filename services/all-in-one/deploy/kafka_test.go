package deploy_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/securetest"
	"example.com/orders/shared/topic"
)

// TestKafkaUsersMayDoWhatTheScriptGrants: the ACLs of acls.sh are what the programs check at their start.
func TestKafkaUsersMayDoWhatTheScriptGrants(t *testing.T) {
	t.Parallel()
	names := map[string]string{"api": "order-api", "worker": "order-worker", "operator": "ordersctl", "creator": "topics-creator"}
	var want []string
	for _, a := range securetest.ACLs(t, root+"deploy/kafka/acls.sh", "orders", "order-workers") {
		want = append(want, names[a.Principal]+": "+a.String())
	}
	want = append(want, "keda: Describe on topic orders", "keda: Describe on group order-workers")
	var got []string
	for _, u := range built(t, "base").of("KafkaUser") {
		if u.text("spec.authentication.type") != "scram-sha-512" || u.text("spec.authorization.type") != "simple" {
			t.Errorf("%s signs in with %q, and has %q", u, u.text("spec.authentication.type"), u.text("spec.authorization.type"))
		}
		for _, acl := range u.list("spec.authorization.acls") {
			kind, name := acl.text("resource.type"), acl.text("resource.name")
			switch kind {
			case "transactionalId":
				kind = "transactional-id"
				if acl.text("resource.patternType") != "prefix" {
					t.Errorf("%s: transactional IDs must be a prefix", u)
				}
			case "cluster":
				name = "kafka-cluster"
			}
			for _, op := range acl.texts("operations") {
				got = append(got, u.text("metadata.name")+": "+securetest.ACL{Operation: op, Kind: kind, Name: name}.String())
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ACLs (-acls.sh +Kubernetes):\n%s", diff)
	}
}

// TestKafkaOfKubernetesKeepsWhatItAcknowledged holds the settings of brokers that the promises depend on.
func TestKafkaOfKubernetesKeepsWhatItAcknowledged(t *testing.T) {
	eachOverlay(t, func(t *testing.T, c cluster) {
		k := c.find(t, "Kafka", "orders")
		config := k.part("spec.kafka.config")
		for key, want := range map[string]any{
			"auto.create.topics.enable": false, "default.replication.factor": 3, "min.insync.replicas": 2, "offsets.topic.replication.factor": 3,
			"transaction.state.log.replication.factor": 3, "transaction.state.log.min.isr": 2, "message.max.bytes": 2097152, "unclean.leader.election.enable": false,
		} {
			if config[key] != want {
				t.Errorf("%s is %v, want %v", key, config[key], want)
			}
		}
		for _, l := range k.list("spec.kafka.listeners") {
			if l.at("tls") != true || l.text("authentication.type") != "scram-sha-512" {
				t.Errorf("the listener %s is open", l.text("name"))
			}
		}
		if k.at("spec.entityOperator.topicOperator") != nil || len(c.of("KafkaTopic")) > 0 {
			t.Error("topics have two owners: ordersctl topics create and Strimzi")
		}
		for _, p := range c.of("KafkaNodePool") {
			labels := p.part("metadata.labels")
			if p.number("spec.replicas") != 3 || labels["strimzi.io/cluster"] != k.text("metadata.name") {
				t.Errorf("%s has %d nodes of the cluster %v, want 3 of orders", p, p.number("spec.replicas"), labels["strimzi.io/cluster"])
			}
		}
	})
}

// TestWorkersAreScaledWithinTheirPartitions holds what the comments of scaling.yaml promise.
func TestWorkersAreScaledWithinTheirPartitions(t *testing.T) {
	eachOverlay(t, func(t *testing.T, c cluster) {
		s := c.find(t, "ScaledObject", "order-worker")
		if least, most := s.number("spec.minReplicaCount"), s.number("spec.maxReplicaCount"); least < 2 || most > topic.Partitions {
			t.Errorf("%d to %d workers, want at least 2 and at most %d, the number of partitions", least, most, topic.Partitions)
		}
		trigger := s.list("spec.triggers")[0]
		got := map[string]string{}
		for key, value := range trigger.part("metadata") {
			got[key], _ = value.(string) // KEDA takes texts only
		}
		want := map[string]string{
			"bootstrapServers": "orders-kafka-bootstrap.orders.svc:9093", "consumerGroup": "order-workers", "topic": topic.Names("orders").Orders, "lagThreshold": "2000",
			"offsetResetPolicy": "earliest", "excludePersistentLag": "true", "allowIdleConsumers": "false", "scaleToZeroOnInvalidOffset": "false",
			"sasl": "scram_sha512", "tls": "enable",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the trigger (-want +got):\n%s", diff)
		}
		c.find(t, "TriggerAuthentication", trigger.text("authenticationRef.name"))
		c.find(t, "Deployment", s.text("spec.scaleTargetRef.name"))
	})
}
