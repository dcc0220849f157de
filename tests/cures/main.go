// Makes calls over a channel that the cure's lines made, and says who answered.
package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"time"

	// IMPORTS
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
)

type raw struct{} // the bytes of a message as they are

func (raw) Name() string                            { return "proto" }
func (raw) Marshal(value any) ([]byte, error)       { return *value.(*[]byte), nil }
func (raw) Unmarshal(data []byte, value any) error { *value.(*[]byte) = data; return nil }

func dial() (*grpc.ClientConn, error) {
	// CURE
	return conn, err
}

func main() {
	encoding.RegisterCodec(raw{})
	conn, err := dial()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer conn.Close()
	name := regexp.MustCompile(`name\((.*?)\)`)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for i := 0; i < 60; i++ {
		request, reply := []byte{}, []byte{}
		if err := conn.Invoke(ctx, "/greet.GreetService/Greet", &request, &reply, grpc.WaitForReady(true)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(string(name.FindSubmatch(reply)[1]))
		time.Sleep(5 * time.Millisecond) // a fresh channel shares once all its connections are up
	}
}
