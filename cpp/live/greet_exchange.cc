#include "live/greet_exchange.h"

#include <utility>

#include "rpc/timespec.h"

namespace greetlab {

// One call of gRPC's. Keeps itself while the queue holds its tag.
class GreetExchange::Rpc final : public Loop::Tag, public std::enable_shared_from_this<Rpc> {
 public:
  using Done = std::function<void(const grpc::Status&, const greet::GreetingResponse&)>;

  void start(greet::GreetService::Stub& stub, Loop& loop, const greet::GreetingRequest& request,
             Time deadline, Done done) {
    self_ = shared_from_this();
    done_ = std::move(done);
    context_.emplace();
    context_->set_deadline(to_timespec(deadline));
    response_.Clear();  // keeps the strings' memory for the next answer
    reader_ = stub.AsyncGreet(&*context_, request, loop.queue());
    reader_->Finish(&response_, &status_, this);
  }

  void cancel() {
    if (self_) context_->TryCancel();
  }

  bool pending() const { return self_ != nullptr; }
  const greet::GreetingResponse& response() const { return response_; }

  void proceed(bool) override {
    const auto self = std::exchange(self_, nullptr);
    const Done done = std::exchange(done_, nullptr);
    done(status_, response_);
  }

 private:
  std::shared_ptr<Rpc> self_;  // while gRPC has us
  Done done_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<greet::GreetingResponse>> reader_;
  greet::GreetingResponse response_;
  grpc::Status status_;
};

GreetExchange::GreetExchange(const greet::GreetingRequest& request)
    : request_(request), rpc_(std::make_shared<Rpc>()) {}

GreetExchange::~GreetExchange() = default;

void GreetExchange::cancel() {
  rpc_->cancel();
}

void GreetExchange::send(greet::GreetService::Stub& stub, Loop& loop, Time deadline,
                         Rpc::Done done) {
  if (rpc_->pending()) rpc_ = std::make_shared<Rpc>();  // nobody waits for that one any more
  rpc_->start(stub, loop, request_, deadline, std::move(done));
}

const greet::GreetingResponse& GreetExchange::response() const {
  return rpc_->response();
}

}  // namespace greetlab
