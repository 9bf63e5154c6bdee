package order

// Cause is what led to a record: who asked for it, and the trace that it belongs to. The zero value
// means that neither is known.
type Cause struct {
	Actor Actor
	Trace string // traceparent of W3C Trace Context, or empty
}

// Actor is the principal on whose behalf something was done. The zero value is somebody who has not
// signed in.
type Actor struct {
	Kind ActorKind
	ID   string // of the principal; unique among the actors of a kind
}

// String is the actor as records name it, such as "customer:17". It is empty for the zero value.
func (a Actor) String() string {
	if a == (Actor{}) {
		return ""
	}
	return string(a.Kind) + ":" + a.ID
}

// ActorKind is the kind of a principal.
type ActorKind string

// Every kind of actor.
const (
	ActorCustomer ActorKind = "customer"
	ActorOperator ActorKind = "operator"
	ActorService  ActorKind = "service" // a program of this application
)
