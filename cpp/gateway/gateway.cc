#include "gateway/gateway.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>
#include <chrono>
#include <sstream>
#include <utility>

#include "channel/answer.h"
#include "gateway/rest.h"

namespace greetlab {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

struct Answer {
  Status status;
  greet::GreetingResponse response;
};

/// Makes a call, and comes back on the io_context's own thread when it has ended.
/// The call ends if the client goes.
asio::awaitable<Answer> ask(asio::io_context& io, GreetChannel& channel,
                            greet::GreetingRequest request, Duration deadline, HttpClient& client) {
  const auto begin = [&](auto handler) {
    // Shared, for std::function copies.
    const auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    client.on_gone =
        channel.greet(std::move(request), deadline,
                      [&io, resume](const Status& status, const greet::GreetingResponse& response) {
                        asio::post(io, [resume, answer = Answer{status, response}]() mutable {
                          (*resume)(std::move(answer));
                        });
                      });
  };
  Answer answer = co_await asio::async_initiate<decltype(asio::use_awaitable), void(Answer)>(
      begin, asio::use_awaitable);
  co_return answer;
}

constexpr bool kConnect = true;

std::shared_ptr<GreetChannel> open(const EngineFlags& flags, Trace::Listener& listener) {
  ChannelOptions options = flags.options;
  options.name = "gateway";
  options.listener = &listener;
  return open_channel(flags.engine, std::move(options));
}

std::string_view text_of(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

Gateway::Gateway(asio::io_context& io, const GatewayOptions& options)
    : io_(io),
      deadline_(options.deadline),
      recent_(options.trace_capacity > 0
                  ? std::optional<RecentTrace>(std::in_place, options.trace_capacity)
                  : std::nullopt),
      channel_(open(options.channel, *this)),
      server_(io, options.listen, options.http,
              {[this](const HttpRequest& request, HttpClient& client) {
                 return handle(request, client);
               },
               [this](unsigned status) { metrics_.responded(status); }}) {
  channel_->state(kConnect);
}

Gateway::~Gateway() {
  channel_->close();
}

void Gateway::on_event(const Event& event) {
  metrics_.on_event(event, channel_->symbols());
  if (recent_) recent_->add(event);
}

asio::awaitable<Reply> Gateway::handle(const HttpRequest& request, HttpClient& client) {
  const bool json = wants_json(text_of(request[http::field::accept]));
  const std::string_view target = text_of(request.target());
  const std::string_view path = target.substr(0, target.find('?'));
  const bool to_look = path == "/healthz" || path == "/readyz" || path == "/metrics" ||
                       (path == "/trace" && recent_);
  Reply reply;
  if (path == "/greet" && request.method() == http::verb::post) {
    reply = co_await greet(request, client);
  } else if (to_look &&
             (request.method() == http::verb::get || request.method() == http::verb::head)) {
    reply = look(path);
  } else if (path == "/greet" || to_look) {
    const std::string allow = to_look ? "GET, HEAD" : "POST";
    reply = reply_to(Refusal(405, std::string(path) + " takes " + allow + "."), json);
    reply.allow = allow;
  } else {
    const std::string off = path == "/trace" ? " (it is off: see --trace)" : "";
    reply = reply_to(Refusal(404, "there is nothing at " + std::string(path) + off +
                                      ": POST /greet, GET /healthz, /readyz, /metrics."),
                     json);
  }
  co_return reply;
}

asio::awaitable<Reply> Gateway::greet(const HttpRequest& request, HttpClient& client) {
  const bool json = wants_json(text_of(request[http::field::accept]));
  greet::GreetingRequest greeting;
  try {
    greeting = read_greeting(text_of(request[http::field::content_type]), request.body());
  } catch (const Refusal& refusal) {
    co_return reply_to(refusal, json);
  }
  const auto begin = std::chrono::steady_clock::now();
  Answer answer = co_await ask(io_, *channel_, greeting, deadline_, client);
  // A gRPC C++ server that is told to end cancels what has just arrived (grpc/grpc issue 41785).
  // Nobody here cancels anything, and a greeting changes nothing: it is asked for once more.
  const Duration left = deadline_ - (std::chrono::steady_clock::now() - begin);
  if (answer.status.code == Code::cancelled && left.count() > 0 && !client.gone) {
    answer = co_await ask(io_, *channel_, std::move(greeting), left, client);
  }
  const AnsweringPod pod = answering_pod(answer.response);
  metrics_.call_ended(std::string(pod.name.empty() ? pod.ip : pod.name), answer.status.code,
                      std::chrono::steady_clock::now() - begin);
  co_return reply_to(answer.status, answer.response, json);
}

Reply Gateway::look(std::string_view path) {
  if (path == "/healthz") return {200, "ok\n"};
  if (path == "/readyz") return readiness();
  if (path == "/metrics") {
    return {200, metrics_.text(channel_->subchannels(), server_.connections()),
            "text/plain; version=0.0.4; charset=utf-8"};
  }
  std::ostringstream lines;
  recent_->write(lines, channel_->symbols());
  return {200, std::move(lines).str(), "application/jsonl"};
}

Reply Gateway::readiness() {
  // An IDLE one begins to connect: a gateway that is not ready gets no calls that could wake it.
  const std::string state(to_string(channel_->state(kConnect)));
  return {state == "READY" ? 200U : 503U, "the channel is " + state + '\n'};
}

}  // namespace greetlab
