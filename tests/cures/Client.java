// Makes calls over a channel that the cure's lines made, and says who answered.
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.MethodDescriptor;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

class Client {
  static ManagedChannel dial() {
    // CURE
    return channel;
  }

  static final MethodDescriptor.Marshaller<byte[]> RAW =
      new MethodDescriptor.Marshaller<byte[]>() {
        public InputStream stream(byte[] value) {
          return new ByteArrayInputStream(value);
        }

        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (java.io.IOException error) {
            throw new RuntimeException(error);
          }
        }
      };

  public static void main(String[] arguments) throws Exception {
    ManagedChannel channel = dial();
    MethodDescriptor<byte[], byte[]> greet =
        MethodDescriptor.<byte[], byte[]>newBuilder(RAW, RAW)
            .setType(MethodDescriptor.MethodType.UNARY)
            .setFullMethodName("greet.GreetService/Greet")
            .build();
    Pattern name = Pattern.compile("name\\((.*?)\\)");
    for (int i = 0; i < 60; i++) {
      CallOptions options =
          CallOptions.DEFAULT.withWaitForReady().withDeadlineAfter(10, TimeUnit.SECONDS);
      byte[] reply = ClientCalls.blockingUnaryCall(channel, greet, options, new byte[0]);
      Matcher found = name.matcher(new String(reply));
      if (!found.find()) throw new IllegalStateException("no name");
      System.out.println(found.group(1));
      Thread.sleep(5); // a fresh channel shares once all its connections are up
    }
    channel.shutdownNow();
  }
}
