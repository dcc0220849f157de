// Reads a DNS reply. Whatever bytes come in, out comes a message or nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/lookup.h"

namespace greetlab {

/// A reply's header, question and answers (RFC 1035 4.1). What follows the answers is not looked
/// at, so an OPT record there (EDNS, RFC 6891) does no harm.
struct DnsMessage {
  std::uint16_t id = 0;
  bool is_reply = false;       ///< QR
  bool authoritative = false;  ///< AA
  bool truncated = false;      ///< TC
  std::uint8_t rcode = 0;
  std::string question_name;
  std::uint16_t question_type = 0;
  std::vector<Record> answers;
};

/// @param cut The bytes may end too soon, though nobody set TC: then `truncated` says so.
/// @return nothing if the bytes are no message with one question. Of a truncated message, the
///         answers that are whole.
std::optional<DnsMessage> read_message(std::span<const std::uint8_t> bytes, bool cut = false);

/// The records that answer a question: those of `type` under `name`, or under the name that the
/// CNAMEs among the records lead to. A stub resolver need not ask again: the server that recurses
/// puts the whole chain into one reply (RFC 1034 4.3.2).
std::vector<const Record*> follow_cnames(const std::vector<Record>& records, std::string_view name,
                                         std::uint16_t type);

}  // namespace greetlab
