// Between REST and gRPC: what a request asks for, and how an answer is said. No socket, no channel.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "core/status.h"
#include "gateway/reply.h"
#include "greet.pb.h"

namespace greetlab {

/// A request that cannot be served: the HTTP status, and one sentence that says why.
class Refusal : public std::runtime_error {
 public:
  Refusal(unsigned status, const std::string& sentence)
      : std::runtime_error(sentence), status(status) {}

  const unsigned status;
};

/// Reads {"first_name": "Ada", "last_name": "Lovelace"} by protobuf's JSON mapping, so "firstName"
/// is understood, too, and fields that there are not are passed over.
///
/// @param content_type of the body; empty is taken for JSON, as `curl --data` without a header of
///        its own is not: it says that it sends a form.
/// @throws Refusal 415 or 400.
greet::GreetingRequest read_greeting(std::string_view content_type, const std::string& body);

/// Whether the client asks for JSON by name, and not rather for text (RFC 9110 12.5.1).
bool wants_json(std::string_view accept);

/// What became of a call: 200 with the article's words, or the whole response as JSON; 503 where
/// there was nobody to answer, 504 where nobody did in time, 502 where the answer was an error.
Reply reply_to(const Status& status, const greet::GreetingResponse& response, bool json);

/// A refusal, in the client's language.
Reply reply_to(const Refusal& refusal, bool json);

}  // namespace greetlab
