# order-api, and ordersctl, which creates the topics. From the root of the repository:
#   docker build -f deploy/docker/order-api.Dockerfile -t order-api .
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
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/ ./services/order-api ./services/order-api/cmd/ordersctl
# A new volume gets the owner of the directory that it is mounted on.
RUN mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/order-api /out/ordersctl /
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV ORDERS_DATA=/data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/order-api"]
