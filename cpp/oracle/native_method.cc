#include "oracle/native_method.h"

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <vector>

#include "core/interrupted.h"
#include "rpc/said.h"
#include "rpc/timespec.h"

namespace greetlab {
namespace {

Time now() {
  return Time(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

// The metadata of gRPC's C++ is the application's own; "-bin" is bytes in it already.
Metadata ours(const std::multimap<grpc::string_ref, grpc::string_ref>& theirs) {
  Metadata metadata;
  for (const auto& [name, value] : theirs) {
    metadata.emplace_back(std::string(name.data(), name.size()),
                          std::string(value.data(), value.size()));
  }
  return metadata;
}

std::string bytes_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace

MethodAnswer call_native_method(const std::shared_ptr<grpc::Channel>& channel,
                                const MethodRequest& request, CallRecorder& recorder,
                                const std::function<bool()>& stop) {
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(to_timespec(now() + request.timeout));
  context.set_wait_for_ready(request.wait_for_ready);
  for (const auto& [name, value] : request.metadata) context.AddMetadata(name, value);
  const CallRecorder::Begun begun = recorder.started(now(), request.wait_for_ready);

  // One operation after the other: whether it came off.
  const auto done = [&] {
    void* tag = nullptr;
    bool ok = false;
    while (queue.AsyncNext(&tag, &ok, to_timespec(now() + kAttention)) ==
           grpc::CompletionQueue::TIMEOUT) {
      if (stop()) context.TryCancel();
    }
    return ok;
  };
  grpc::GenericStub stub(channel);
  const auto stream = stub.PrepareCall(&context, request.path, &queue);
  stream->StartCall(nullptr);
  MethodAnswer answer;
  if (done()) {
    const grpc::Slice message(request.message);
    stream->WriteLast(grpc::ByteBuffer(&message, 1), {}, nullptr);
    done();
    for (;;) {
      grpc::ByteBuffer buffer;
      stream->Read(&buffer, nullptr);
      if (!done()) break;
      answer.messages.push_back(bytes_of(buffer));
      if (answer.messages.size() == request.most) {
        context.TryCancel();
        break;
      }
    }
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  done();
  answer.status = {code_of(status.error_code()), said(status)};
  answer.headers = ours(context.GetServerInitialMetadata());
  answer.trailers = ours(context.GetServerTrailingMetadata());
  recorder.ended(now(), begun, answer.status.code, "", "", answer.status.message);
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
  }
  return answer;
}

}  // namespace greetlab
