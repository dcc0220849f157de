// Makes calls over a channel that the cure's lines made, and says who answered.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <regex>
#include <string>
#include <thread>

std::shared_ptr<grpc::Channel> dial() {
  // CURE
  return channel;
}

int main() {
  grpc::GenericStub stub(dial());
  const std::regex name(R"(name\((.*?)\))");
  for (int i = 0; i < 60; ++i) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    const grpc::Slice nothing;
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer reply;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, "/greet.GreetService/Greet", request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    if (!status.ok()) {
      std::cerr << status.error_message() << "\n";
      return 1;
    }
    grpc::Slice whole;
    if (!reply.DumpToSingleSlice(&whole).ok()) return 1;
    const std::string text(whole.begin(), whole.end());
    std::smatch found;
    if (!std::regex_search(text, found, name)) return 1;
    std::cout << found[1] << std::endl;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // shared once all are connected
  }
}
