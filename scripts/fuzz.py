# Additions to Schemathesis for scripts/fuzz.toml.
import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    """The schema says that the body is a text: it is sent as it is."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
