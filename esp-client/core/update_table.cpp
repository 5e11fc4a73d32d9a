#include "esp-client/core/update_table.hpp"

namespace ota::device {
namespace {

using Row = std::array<Step, kStateCount>;

constexpr Step drop = Step::kDrop;
constexpr Step boot = Step::kBoot;
constexpr Step greet = Step::kGreet;
constexpr Step confirm = Step::kConfirm;
constexpr Step lost = Step::kLost;
constexpr Step ask = Step::kAsk;
constexpr Step take = Step::kTake;
constexpr Step resume = Step::kResume;
constexpr Step compare = Step::kCompare;
constexpr Step refuse = Step::kRefuse;
constexpr Step settle = Step::kSettle;
constexpr Step abandon = Step::kAbandon;
constexpr Step stop = Step::kStop;
constexpr Step restart = Step::kRestart;
constexpr Step progress = Step::kProgress;
constexpr Step verify = Step::kVerify;
constexpr Step retry = Step::kRetry;
constexpr Step install = Step::kInstall;
constexpr Step reject = Step::kReject;
constexpr Step reboot = Step::kReboot;
constexpr Step no_switch = Step::kNoSwitch;
constexpr Step confirmed = Step::kConfirmed;
constexpr Step unconfirmed = Step::kUnconfirmed;
constexpr Step ack = Step::kAck;
constexpr Step ack_inst = Step::kAckInstall;
constexpr Step tick = Step::kTick;
constexpr Step tick_wait = Step::kTickWait;
constexpr Step tick_load = Step::kTickLoad;
constexpr Step tick_inst = Step::kTickInstall;
constexpr Step tick_trial = Step::kTickTrial;

// clang-format off
constexpr std::array<Row, kEventCount> kTable = {{
    //                  idle    resuming  loading    waiting    verifying  installing rebooting trial
    /* boot          */ {boot,   drop,    drop,      drop,      drop,      drop,      drop,     drop},
    /* connected     */ {greet,  greet,   greet,     greet,     greet,     greet,     drop,     confirm},
    /* disconnected  */ {lost,   lost,    lost,      lost,      lost,      lost,      drop,     lost},
    /* hint          */ {ask,    ask,     ask,       ask,       drop,      drop,      drop,     drop},
    /* offer         */ {take,   resume,  compare,   compare,   drop,      drop,      drop,     drop},
    /* bad offer     */ {refuse, refuse,  settle,    settle,    drop,      drop,      drop,     drop},
    /* no update     */ {settle, abandon, settle,    settle,    drop,      drop,      drop,     drop},
    /* withdrawn     */ {settle, stop,    stop,      stop,      stop,      drop,      drop,     drop},
    /* restarted     */ {drop,   drop,    restart,   drop,      drop,      drop,      drop,     drop},
    /* progress      */ {drop,   drop,    progress,  drop,      drop,      drop,      drop,     drop},
    /* downloaded    */ {drop,   drop,    verify,    drop,      drop,      drop,      drop,     drop},
    /* download fail */ {drop,   drop,    retry,     drop,      drop,      drop,      drop,     drop},
    /* verified      */ {drop,   drop,    drop,      drop,      install,   drop,      drop,     drop},
    /* verify failed */ {drop,   drop,    drop,      drop,      reject,    drop,      drop,     drop},
    /* switched      */ {drop,   drop,    drop,      drop,      drop,      reboot,    drop,     drop},
    /* switch failed */ {drop,   drop,    drop,      drop,      drop,      no_switch, drop,     drop},
    /* confirmed     */ {drop,   drop,    drop,      drop,      drop,      drop,      drop,     confirmed},
    /* confirm fail  */ {drop,   drop,    drop,      drop,      drop,      drop,      drop,     unconfirmed},
    /* ack           */ {ack,    ack,     ack,       ack,       ack,       ack_inst,  drop,     ack},
    /* tick          */ {tick,   tick,    tick_load, tick_wait, tick,      tick_inst, drop,     tick_trial},
}};
// clang-format on

constexpr std::array<std::string_view, kStateCount> kStateNames = {
    "idle", "resuming", "loading", "waiting", "verifying", "installing", "rebooting", "trial"};

constexpr std::array<std::string_view, kEventCount> kEventNames = {
    "boot",          "connected",       "disconnected",   "hint",          "offer",
    "bad offer",     "no update",       "withdrawn",      "restarted",     "progress",
    "downloaded",    "download failed", "verified",       "verify failed", "switched",
    "switch failed", "confirmed",       "confirm failed", "ack",           "tick"};

}  // namespace

Step step_for(EventKind event, State state) {
  return kTable[static_cast<std::size_t>(event)][static_cast<std::size_t>(state)];
}

std::string_view state_name(State state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

std::string_view event_name(EventKind event) {
  return kEventNames[static_cast<std::size_t>(event)];
}

}  // namespace ota::device
