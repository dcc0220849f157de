// greet-client --serve: the lab's channels, driven from elsewhere. The lab's own end of it, in
// Python, is greetlab/clusters/kube/served.py; between the two is `kubectl exec -i`, which is all
// that a pod without a shell, a port or rights of its own needs.
#pragma once

#include <istream>
#include <ostream>

namespace greetlab {

/// Does what the lines of `in` say, until their end; what is still going on then is given up.
///
/// In goes a command a line, {"n":3,"do":"greet","channel":"client-1",...}. Out come
/// - first of all {"greet_client":"0.1.0","world":"KUBE"};
/// - for each command, when it is done, {"n":3,"ok":...} or {"n":3,"error":"why not"}; several can
/// be
///   under way at once;
/// - as they happen, events: {"channel":"client-1"}, and then what `write_trace` makes of those
/// that
///   there were since. Those of a command stand before its answer.
///
/// A command that is none, or makes no sense, is answered like any other, with an error; its number
/// is 0 where it has none.
///
/// If `out` takes no more, the process ends.
void serve(std::istream& in, std::ostream& out);

}  // namespace greetlab
