#include "greet/orca.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>

namespace greetlab {
namespace {

using google::protobuf::util::TimeUtil;
using xds::data::orca::v3::OrcaLoadReport;
using xds::service::orca::v3::OrcaLoadReportRequest;

constexpr std::chrono::seconds kLongest = std::chrono::hours(24 * 365);

OrcaLoadReport message(const LoadReport& report) {
  OrcaLoadReport message;
  message.set_cpu_utilization(report.cpu_utilization);
  message.set_application_utilization(report.application_utilization);
  message.set_mem_utilization(report.memory_utilization);
  message.set_rps_fractional(report.rps);
  message.set_eps(report.eps);
  for (const auto& [name, value] : report.named) (*message.mutable_named_metrics())[name] = value;
  return message;
}

// Whole seconds first: a client may ask for more than nanoseconds can count.
std::chrono::nanoseconds interval(const OrcaLoadReportRequest& request) {
  const auto& asked = request.report_interval();
  if (asked.seconds() > kLongest.count()) return kLongest;
  if (asked.seconds() < 0) return OrcaService::kLeastInterval;
  return std::max<std::chrono::nanoseconds>(
      OrcaService::kLeastInterval,
      std::chrono::nanoseconds(TimeUtil::DurationToNanoseconds(asked)));
}

}  // namespace

std::string serialized(const LoadReport& report) {
  return message(report).SerializeAsString();
}

// arrived -> (telling -> pausing)* -> finished. As with GreetStream, gRPC tells of the client's end
// by a tag of its own.
class OrcaService::StreamCall final : public Tag {
 public:
  StreamCall(OrcaService& orca, CallQueue& queue) : orca_(orca), queue_(queue) {
    context_.AsyncNotifyWhenDone(&ended_);
    orca.service_.RequestStreamCoreMetrics(&context_, &request_, &writer_, queue.get(), queue.get(),
                                           this);
  }

  ~StreamCall() override {
    if (counted_) --orca_.streams_;
  }

  void proceed(bool ok) override {
    switch (step_) {
      case Step::arrived:
        if (!ok) {  // the server stops; `ended_` never comes for a call that never began
          delete this;
          return;
        }
        new StreamCall(orca_, queue_);
        if (orca_.streams_ >= kMostStreams) {
          return finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "this server reports its load to " +
                                                                   std::to_string(kMostStreams) +
                                                                   " at once, and does"});
        }
        counted_ = true;
        ++orca_.streams_;
        return tell();
      case Step::telling: return ok ? pause() : finish(grpc::Status::CANCELLED);
      case Step::pausing:
        queue_.waited(alarm_);
        return context_.IsCancelled() ? finish(grpc::Status::CANCELLED) : tell();
      case Step::finished:
        finished_ = true;
        release();
        return;
    }
  }

  void drop(bool ok) override {
    if (step_ == Step::arrived && !ok) {
      delete this;
      return;
    }
    finished_ = true;
    release();
  }

 private:
  enum class Step { arrived, telling, pausing, finished };

  struct Ended final : Tag {
    explicit Ended(StreamCall& call) : call(call) {}
    void proceed(bool) override {
      call.ended_seen_ = true;
      if (call.step_ == Step::pausing) call.alarm_.Cancel();
      call.release();
    }
    void drop(bool) override {  // it is a part of the call
      call.ended_seen_ = true;
      call.release();
    }
    StreamCall& call;
  };

  void tell() {
    step_ = Step::telling;
    writer_.Write(message(orca_.report_()), this);
  }

  void pause() {
    step_ = Step::pausing;
    queue_.wait(alarm_, interval(request_), this);
  }

  void finish(const grpc::Status& status) {
    step_ = Step::finished;
    writer_.Finish(status, this);
  }

  void release() {
    if (finished_ && ended_seen_) delete this;
  }

  OrcaService& orca_;
  CallQueue& queue_;
  Step step_ = Step::arrived;
  bool counted_ = false;
  bool finished_ = false;
  bool ended_seen_ = false;
  grpc::ServerContext context_;
  OrcaLoadReportRequest request_;
  grpc::ServerAsyncWriter<OrcaLoadReport> writer_{&context_};
  grpc::Alarm alarm_;
  Ended ended_{*this};
};

void OrcaService::await(CallQueue& queue) {
  new StreamCall(*this, queue);
}

}  // namespace greetlab
