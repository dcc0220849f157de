// Which names a resolver really asks for, when it is asked for one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace greetlab {

/// The names to try, in order, as resolv.conf(5) says: a name that ends with a dot is tried alone;
/// one with at least `ndots` dots is tried as it is first, then with each search domain; any other
/// with each search domain first and as it is last.
///
/// In a pod (`ndots:5`, three search domains) even `greetserver.default.svc.cluster.local`, with
/// its four dots, is first tried with all three domains behind it.
///
/// @return absolute names, without the final dot.
std::vector<std::string> search_list(std::string_view name, const std::vector<std::string>& search,
                                     int ndots);

}  // namespace greetlab
