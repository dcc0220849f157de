// A greet server on grpc-go: a peer that shares no line with C++'s gRPC. It prints its address, and
// ends in order on SIGTERM. Requests and answers are protobuf by hand, for so little of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
)

// Bytes as they are; every other message is protobuf's.
type codec struct{ encoding.CodecV2 }

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if bytes, ok := v.(*[]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(*bytes)}, nil
	}
	return c.CodecV2.Marshal(v)
}

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if bytes, ok := v.(*[]byte); ok {
		*bytes = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// greet.GreetingResponse: pod_name is field 2, peer field 4 (proto/greet.proto).
func response(pod, peer string) *[]byte {
	var bytes []byte
	for tag, text := range map[byte]string{0x12: pod, 0x2a: peer} {
		bytes = append(append(bytes, tag, byte(len(text))), text...)
	}
	return &bytes
}

func greet(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var request []byte
	if err := decode(&request); err != nil {
		return nil, err
	}
	from, _ := peer.FromContext(ctx)
	return response("go-1", from.Addr.String()), nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "IP address and port")
	age := flag.Duration("max-connection-age", 0, "after this, GOAWAY; 0: never")
	streams := flag.Uint("max-streams", 0, "calls at once on one connection; 0: any number")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, "greet_server_go:", err)
		os.Exit(1)
	}
	options := []grpc.ServerOption{grpc.ForceServerCodecV2(codec{encoding.GetCodecV2("proto")})}
	if *age > 0 {
		options = append(options, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: *age, MaxConnectionAgeGrace: time.Second}))
	}
	if *streams > 0 {
		options = append(options, grpc.MaxConcurrentStreams(uint32(*streams)))
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "greet.GreetService",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Greet", Handler: greet}},
	}, struct{}{})
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	fmt.Println(listener.Addr())

	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	go func() { <-asked; server.GracefulStop() }()
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, "greet_server_go:", err)
		os.Exit(1)
	}
}
