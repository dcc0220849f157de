// A service's EndpointSlices, heard of from a Kubernetes API: LIST, then WATCH, for ever.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/rng.h"
#include "kube/kube_api.h"
#include "kube/kube_service.h"
#include "kube/slice_json.h"
#include "lb/backoff.h"
#include "lb/watch_resolver.h"
#include "trace/trace.h"

namespace greetlab {

/// As Kubernetes' own clients do it (kubernetes.io/docs/reference/using-api/api-concepts/,
/// "Efficient detection of changes"; client-go's reflector.go):
///
/// - LIST says how things are, and the resourceVersion that a WATCH goes on from. A bookmark moves
///   that on where nothing happens.
/// - A watch that ends goes on from what was heard last, at once, for API servers end them after
///   some minutes; one that fails, after a backoff.
/// - 410 Gone: what we know is too old for the API server to say what has happened since. So LIST.
///
/// Whatever goes wrong is an `EndpointWatchEnded`, and takes no endpoint away; only where there was
/// never a list the watcher is told of it. A server can't make us keep more than a list, or a line
/// of a watch, of the lengths below.
class SliceWatch final : public EndpointWatch, private KubeApi::Reader {
 public:
  /// What a list may be long: some 20,000 endpoints.
  static constexpr std::size_t kLongestList = 8 * 1024 * 1024;
  /// A slice has at most 1,000 endpoints; etcd keeps no object beyond 1.5 MiB.
  static constexpr std::size_t kLongestLine = 2 * 1024 * 1024;
  /// How long to wait for a list, and for a watch to begin: client-go's TLS and header timeouts
  /// together are as long.
  static constexpr Duration kPatience = std::chrono::seconds(30);
  /// The longest backoff: client-go's (reflector.go; it begins at 0.8 s, ours at 1 s).
  static constexpr Duration kLongestBackoff = std::chrono::seconds(30);

  /// All of it outlives the watch.
  struct Ports {
    Clock& clock;
    Rng& rng;
    Trace& trace;
    Symbol who;  ///< The channel, in the trace.
    KubeApi& api;
  };

  /// @param service with its namespace.
  SliceWatch(Ports ports, KubeService service);

  void start(Watcher& watcher, EventId cause) override;
  std::string doubt() const override;

 private:
  // KubeApi::Reader
  void on_answer(int code) override;
  void on_body(std::string_view bytes) override;
  void on_end(const Status& how) override;

  void ask(EventId cause);
  void on_list();
  bool on_line(std::string_view line);
  void on_watch_end();
  bool lasted() const;
  void give_up(const std::string& why, bool at_once = false);
  void ask_at(Time when, EventId cause);

  const Ports ports_;
  const KubeService service_;
  const std::string path_;
  Watcher* watcher_ = nullptr;
  Backoff backoff_{kLongestBackoff};
  std::string version_;                           // heard so far; empty: list
  bool listed_ = false;                           // ever
  bool expired_ = false;                          // and no news since
  std::set<std::string, std::less<>> passed_on_;  // slices that the watcher has
  std::string other_ports_;                       // of a slice without ours

  // Of the request that is under way.
  std::unique_ptr<KubeApi::Request> request_;
  EventId cause_ = EventId::none;
  bool over_ = true;  // what still comes of it is for nobody
  bool watches_ = false;
  int code_ = 0;
  Time answered_at_{};
  bool has_news_ = false;
  std::string body_;  // of a list, or of a line
  Timer patience_;
  Timer next_;  // hangs up, and asks again
};

}  // namespace greetlab
