#include "greet/server.h"

#include <arpa/inet.h>
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "core/text_file.h"
#include "greet/control_calls.h"
#include "greet/control_client.h"
#include "greet/greet_calls.h"
#include "greet/health.h"
#include "greet/orca.h"
#include "rpc/mutex_checks.h"

namespace greetlab {
namespace {

// The queue hands out calls in turns: enough waiting so that a burst never finds none.
constexpr int kWaitingCalls = 64;

int clamped(std::optional<std::chrono::milliseconds> duration) {
  return duration ? static_cast<int>(std::min<std::int64_t>(duration->count(), INT_MAX)) : INT_MAX;
}

// gRPC says only that it could not bind (and fills the log with how). So the system is asked first.
// @return why nobody can listen there; empty if somebody could.
std::string why_not_bound(const Address& address) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      inet_pton(AF_INET, address.ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    length = sizeof *v4;
  } else if (auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
             inet_pton(AF_INET6, address.ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    length = sizeof *v6;
  } else {
    return "not an IP address";
  }
  const int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;  // as gRPC does: connections of the past (TIME_WAIT) are no obstacle
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int result = bind(fd, reinterpret_cast<const sockaddr*>(&storage), length);
  const int error = errno;
  close(fd);
  if (result == 0) return {};
  return error == EADDRINUSE ? "address in use" : std::strerror(error);
}

// gRPC would take the socket of a server that lives from under it.
bool somebody_serves(const std::string& control) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (control.starts_with('@') || control.size() >= sizeof address.sun_path) return false;
  control.copy(address.sun_path, control.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool answered =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return answered;
}

std::shared_ptr<grpc::ServerCredentials> credentials(const GreetServerOptions& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    throw std::runtime_error("--tls-cert and --tls-key: a certificate and its key go together");
  }
  if (options.tls_cert.empty()) {
    if (options.tls_client_ca.empty()) return grpc::InsecureServerCredentials();
    throw std::runtime_error("--tls-client-ca: of TLS, which --tls-cert and --tls-key turn on");
  }
  const bool mutual = !options.tls_client_ca.empty();
  grpc::SslServerCredentialsOptions tls(
      mutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
             : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  if (mutual) tls.pem_root_certs = read_text_file(options.tls_client_ca);
  tls.pem_key_cert_pairs = {{read_text_file(options.tls_key), read_text_file(options.tls_cert)}};
  return grpc::SslServerCredentials(tls);
}

[[noreturn]] void refuse_to_start(const Address& address, const std::string& why) {
  throw std::runtime_error("bind " + to_string(address) + ": " + why);
}

}  // namespace

class GreetServer::Impl {
 public:
  explicit Impl(const GreetServerOptions& options)
      : greeter_(options.pod),
        behaviour_(options.seed, options.serving.service_time),
        health_(greet::GreetService::service_full_name()),
        address_{options.listen.front(), options.port} {
    options.serving.check();
    for (const std::string& ip : options.listen) {
      const Address address{ip, options.port};
      if (const auto why = why_not_bound(address); !why.empty()) refuse_to_start(address, why);
    }
    if (options.port == 0 && options.listen.size() > 1) {
      refuse_to_start(address_, "several addresses need a port that is given");
    }
    if (somebody_serves(options.control)) {
      throw std::runtime_error("control socket " + options.control + ": in use");
    }
    behaviour_.set_failing({options.error_rate});

    skip_mutex_checks();
    grpc::EnableDefaultHealthCheckService(false);  // see health.h
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::channelz::experimental::InitChannelzService();

    grpc::ServerBuilder builder;
    int port = 0;
    for (const std::string& ip : options.listen) {
      builder.AddListeningPort(to_string(Address{ip, options.port}), credentials(options), &port);
    }
    builder.RegisterService(&greet_);
    builder.RegisterService(&health_.service());
    if (options.serving.capacity || options.serving.load_reports) {
      places_.emplace(options.serving, monotonic_now());
    }
    if (options.serving.load_reports) {
      orca_.emplace([this] { return places_->report(monotonic_now()); });
      builder.RegisterService(&orca_->service());
    }
    if (!options.control.empty()) {
      builder.AddListeningPort(control_target(options.control), grpc::InsecureServerCredentials());
      builder.RegisterService(&control_);
    }
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // Its probes of the bandwidth-delay product cost timers and wake-ups; greetings are tiny.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, clamped(options.max_connection_age));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                               clamped(options.max_connection_age_grace));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               static_cast<int>(options.max_concurrent_streams));
    queue_.emplace(builder.AddCompletionQueue());
    server_ = builder.BuildAndStart();
    if (!server_ || port == 0) {
      if (!options.tls_cert.empty()) {
        refuse_to_start(address_, "gRPC could not listen there: are " + options.tls_cert + " and " +
                                      options.tls_key + " a certificate and its key (PEM)?");
      }
      refuse_to_start(address_,
                      options.control.empty()
                          ? "gRPC could not listen there"
                          : "gRPC could not listen there and on unix socket " + options.control);
    }
    address_.port = static_cast<std::uint16_t>(port);
    desk_.emplace(GreetDesk{greet_, *queue_, greeter_, behaviour_, options.serving,
                            places_ ? &*places_ : nullptr});
    for (int i = 0; i < kWaitingCalls; ++i) await_greet(*desk_);
    await_greet_stream(*desk_);
    health_.await(*queue_);
    if (orca_) orca_->await(*queue_);
    if (!options.control.empty()) {
      await_control(control_, *queue_, behaviour_,
                    [this](bool serving) { health_.set_serving(serving); });
    }
    thread_ = std::thread([this] { queue_->run(); });
  }

  ~Impl() { shutdown(std::chrono::milliseconds(0)); }

  void shutdown(std::chrono::milliseconds grace) {
    if (!thread_.joinable()) return;
    health_.set_serving(false);
    server_->Shutdown(std::chrono::system_clock::now() + grace);
    queue_->stop();
    thread_.join();
  }

  const Address& address() const { return address_; }

 private:
  Greeter greeter_;
  Behaviour behaviour_;
  Health health_;
  Address address_;
  greet::GreetService::AsyncService greet_;
  control::Control::AsyncService control_;
  std::optional<PodQueue<Tag*>> places_;
  std::optional<OrcaService> orca_;
  std::optional<CallQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<GreetDesk> desk_;
  std::thread thread_;
};

GreetServer::GreetServer(const GreetServerOptions& options)
    : impl_(std::make_unique<Impl>(options)) {}

GreetServer::~GreetServer() = default;

const Address& GreetServer::address() const {
  return impl_->address();
}

void GreetServer::shutdown(std::chrono::milliseconds grace) {
  impl_->shutdown(grace);
}

}  // namespace greetlab
