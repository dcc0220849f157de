// A resolver that is told.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/endpoint_slice.h"
#include "lb/endpoint_slices.h"
#include "lb/resolver.h"
#include "trace/trace.h"

namespace greetlab {

/// Hears of the EndpointSlices of one service, as a LIST and then a WATCH of the Kubernetes API
/// tell of them. Owned by the resolver that listens.
class EndpointWatch {
 public:
  class Watcher {
   public:
    virtual ~Watcher() = default;
    /// How things are: all slices. The first that is told, and told again after a watch that broke,
    /// when nobody knows what was missed. None: there is no such service.
    virtual void on_list(std::vector<EndpointSlice> slices, EventId cause) = 0;
    /// One slice is new, or has changed: it replaces the one of its name.
    virtual void on_slice(EndpointSlice slice, EventId cause) = 0;
    virtual void on_slice_deleted(std::string_view name, EventId cause) = 0;
    /// There is no list to be had; `on_list` follows once there is.
    virtual void on_error(const Status& why, EventId cause) = 0;
  };

  virtual ~EndpointWatch() = default;

  /// Begins. The watcher is told later, on the channel's thread, and never once this is gone. It
  /// must not destroy the watch.
  virtual void start(Watcher& watcher, EventId cause) = 0;

  /// How "no EndpointSlice belongs to a service 'greetserver': is there one" goes on.
  virtual std::string doubt() const { return {}; }
};

/// Has every change of a service's endpoints told to it, and never asks: new pods are called within
/// the time that the news takes, where a client that goes by DNS does not hear of them while its
/// connections are well. As kuberesolver and `xds:` do it, and as the cluster's own kube-proxy
/// does.
class WatchResolver final : public Resolver, private EndpointWatch::Watcher {
 public:
  /// @param trace outlives it. who: the channel, in the trace. service: its name.
  WatchResolver(Trace& trace, Symbol who, std::string service,
                std::unique_ptr<EndpointWatch> watch);

  void start(Resolver::Watcher& watcher, EventId cause) override;
  /// Who is told of everything has nothing to ask.
  void refresh(EventId) override {}

 private:
  // EndpointWatch::Watcher
  void on_list(std::vector<EndpointSlice> slices, EventId cause) override;
  void on_slice(EndpointSlice slice, EventId cause) override;
  void on_slice_deleted(std::string_view name, EventId cause) override;
  void on_error(const Status& why, EventId cause) override;

  void pass_on(std::string_view change, std::string_view slice, EventId cause);

  Trace& trace_;
  const Symbol who_;
  const std::string service_;
  const std::unique_ptr<EndpointWatch> watch_;
  Resolver::Watcher* watcher_ = nullptr;
  EndpointSlices slices_;
  std::string zones_;                // those that were hinted
  std::vector<Endpoint> passed_on_;  // what the channel has
  bool knows_ = false;               // the channel has it
};

}  // namespace greetlab
