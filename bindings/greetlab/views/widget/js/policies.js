// @ts-check
// --- What the policies do, and what their options mean, in words -----------------------------------
//
// Which there are, the engine says; a test asks that each of them is explained here.

/** @type {Record<string, string>} */
export const POLICY_HELP = {
  pick_first: "gRPC's default: tries one address after the other, and puts every call on the first " +
    "that connects",
  round_robin: "connects to every address, and the calls take turns",
  random: "connects to every address, and each call goes to one of them by chance",
  least_request: "of some connections that it draws, the one with the fewest calls in flight (gRFC A48)",
  random_subsetting: "uses only so many of the addresses, each client a draw of its own (gRFC A68)",
  ring_hash_experimental: "calls with the same key go to the same pod; where pods come or go, some keys move (gRFC A42)",
  weighted_round_robin: "the calls take turns, more of them to pods that do more for their load " +
    "(gRFC A58): they report it where load_reports is on",
  outlier_detection_experimental: "a pod whose calls fail far more often than they should is left " +
    "out for a while (gRFC A50)",
};

const ENFORCEMENT = "in how many of 100 cases such a pod is really left out";
const HOSTS = "how many pods must have had calls enough before anybody is judged";
const VOLUME = "how many calls of an interval are enough";

/** @type {Record<string, string>} */
export const POLICY_OPTION_HELP = {
  shuffleAddressList: "tries the addresses in an order by chance (gRFC A62)",
  choiceCount: "how many connections it draws",
  subsetSize: "how many addresses a client uses",
  requestHashHeader: "the header that has a call's key",
  minRingSize: "how many places the ring has at least: the more, the evener the shares",
  maxRingSize: "how many places the ring has at most",
  enableOobLoadReport: "the pods report on a stream beside the calls, and not with each of them",
  oobReportingPeriod: "how often they report on that stream",
  blackoutPeriod: "for how long a new connection has no weight of its own yet",
  weightExpirationPeriod: "how long a report counts if no other one follows",
  weightUpdatePeriod: "how often the weights are computed",
  errorUtilizationPenalty: "by how much a pod's failed calls count as load",
  interval: "how often the pods are judged",
  baseEjectionTime: "how long a pod is left out the first time; each time after that it is longer",
  maxEjectionTime: "the longest time that a pod is left out",
  maxEjectionPercent: "how many of 100 pods may be left out at once; here one always may",
  successRateEjection: "judge by the others: who succeeds far less often than they do",
  "successRateEjection.stdevFactor": "how far below their mean that is, in thousandths of a standard " +
    "deviation",
  "successRateEjection.enforcementPercentage": ENFORCEMENT,
  "successRateEjection.minimumHosts": HOSTS,
  "successRateEjection.requestVolume": VOLUME,
  failurePercentageEjection: "judge by a limit: who fails more often than that",
  "failurePercentageEjection.threshold": "the limit: so many of 100 calls",
  "failurePercentageEjection.enforcementPercentage": ENFORCEMENT,
  "failurePercentageEjection.minimumHosts": HOSTS,
  "failurePercentageEjection.requestVolume": VOLUME,
};
