# order-worker. From the root of the repository:
#   docker build -f deploy/docker/order-worker.Dockerfile -t order-worker .
FROM golang:1.26 AS build
WORKDIR /src
# The modules first: they change less often than the code.
COPY go.work go.work.sum ./
COPY shared/go.mod shared/go.sum shared/
COPY services/all-in-one/go.mod services/all-in-one/go.sum services/all-in-one/
COPY services/order-api/go.mod services/order-api/go.sum services/order-api/
COPY services/order-worker/go.mod services/order-worker/go.sum services/order-worker/
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/ ./services/order-worker

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/order-worker /
ENTRYPOINT ["/order-worker"]
