// An API server, as a port: the live world has it on HTTP/2, a test scripts it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/status.h"
#include "trace/trace.h"

namespace greetlab {

class KubeApi {
 public:
  /// What becomes of a request. Told later, on the clock's thread.
  class Reader {
   public:
    virtual ~Reader() = default;
    /// HTTP's status has come: 200, 403, 410.
    virtual void on_answer(int code) = 0;
    /// A piece of the answer's body, cut anywhere.
    virtual void on_body(std::string_view bytes) = 0;
    /// It is over: whole, or why not.
    virtual void on_end(const Status& how) = 0;
  };

  /// A request on its way. Destroyed: it is given up, and its reader hears no more. Not from within
  /// what the reader is told.
  class Request {
   public:
    virtual ~Request() = default;
  };

  virtual ~KubeApi() = default;

  /// Sends GET.
  /// @param path with its query. reader: outlives the request. The API outlives it, too.
  virtual std::unique_ptr<Request> get(std::string path, EventId cause, Reader& reader) = 0;

  /// "https://10.96.0.1:443": for people.
  virtual std::string name() const = 0;
};

}  // namespace greetlab
