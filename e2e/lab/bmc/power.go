package bmc

import (
	"context"
	"maps"
	"net/http"
	"time"
)

// End says how a boot ended by itself.
type End int

// The ends of a boot.
const (
	Halted    End = iota // the machine is off
	Restarted            // the machine asked for a reset; firmware starts again
)

// Boot is what the firmware knows when POST is over: the settings in force
// and the one-time override, which is used up by this.
type Boot struct {
	Target     string // TargetNone, TargetPxe, TargetUefiHttp, TargetHdd, TargetCd
	Media      string // URL of the image in the virtual CD; empty is none
	Mode       string // ModeUEFI or ModeLegacy
	SMT        bool   // threads of the cores are usable
	SRIOV      bool
	Attributes Attributes  // all BIOS attributes in force
	SecureBoot *SecureBoot // what the firmware knows of it from now on; nil where that is its own affair
}

// Runner is the machine behind the controller. Run is one boot: it begins
// when POST ends, and returns when the machine restarts or halts, or soon
// after ctx ends, which is the power going away.
type Runner interface {
	Run(ctx context.Context, b Boot) End
}

// RunnerFunc is a function as Runner.
type RunnerFunc func(ctx context.Context, b Boot) End

// Run calls f.
func (f RunnerFunc) Run(ctx context.Context, b Boot) End { return f(ctx, b) }

// Presser is a Runner with a power button: PressPower asks the running system
// to shut down. Without it a graceful shutdown is the power going away.
type Presser interface{ PressPower() }

func idle(ctx context.Context, _ Boot) End {
	<-ctx.Done()
	return Halted
}

// Values of PowerState, DSP0268 ComputerSystem.
const (
	On          = "On"
	Off         = "Off"
	PoweringOn  = "PoweringOn"
	PoweringOff = "PoweringOff"
)

// Values of ResetType that this controller takes, DSP0268 Resource.ResetType.
const (
	ResetOn               = "On"
	ResetForceOff         = "ForceOff"
	ResetGracefulShutdown = "GracefulShutdown"
	ResetForceRestart     = "ForceRestart"
	ResetPowerCycle       = "PowerCycle"
)

// power is guarded by Controller.mu.
type power struct {
	state    string
	progress string             // BootProgress.LastState
	cut      context.CancelFunc // ends the present boot; nil when off
	again    bool               // the present boot was cut to start again
	extra    bool               // the next start takes another POST
	busy     bool               // a reset is not finished: the next one gets 409
	done     chan struct{}      // closed when the loop of this power-on ended
}

// Power returns the PowerState.
func (c *Controller) Power() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.power.state
}

// Close switches the machine off and waits until it is.
func (c *Controller) Close() {
	c.mu.Lock()
	done := c.power.done
	if c.power.cut != nil {
		c.power.again = false
		c.power.cut()
	}
	c.mu.Unlock()
	if done != nil {
		<-done
	}
}

// start begins the life of a power-on. c.mu is held.
func (c *Controller) start() {
	ctx, cut := context.WithCancel(context.Background())
	c.power.cut, c.power.done, c.power.again = cut, make(chan struct{}), false
	c.power.state, c.power.busy = PoweringOn, true
	c.power.progress = "None"
	go c.life(ctx, c.power.done)
}

// life is one power-on: POST and boot, again at each restart, until off.
func (c *Controller) life(ctx context.Context, done chan struct{}) {
	defer close(done)
	pause(ctx, c.cfg.Lag)
	for {
		c.set(On, inPOST)
		end := Halted
		if pause(ctx, c.cfg.POST) && (!c.extra() || pause(ctx, c.cfg.POST)) {
			end = c.cfg.Runner.Run(ctx, c.post())
		}
		next, ok := c.ended(ctx, end)
		if !ok {
			return
		}
		ctx = next
	}
}

// ended decides what follows a boot; the returned context is the next one's.
func (c *Controller) ended(ctx context.Context, end End) (context.Context, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wasCut := ctx.Err() != nil
	if wasCut { // busy: nothing changes while the power goes away
		c.mu.Unlock()
		pause(context.Background(), c.cfg.Lag)
		c.mu.Lock()
	}
	c.power.cut()
	if (wasCut && c.power.again) || (!wasCut && end == Restarted) {
		next, cut := context.WithCancel(context.Background())
		c.power.cut, c.power.again = cut, false
		return next, true
	}
	c.power.state, c.power.busy, c.power.cut, c.power.progress = Off, false, nil, "None"
	return nil, false
}

func (c *Controller) set(state, progress string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.power.state, c.power.progress, c.power.busy = state, progress, false
}

// inPOST is the BootProgress of a machine in its self test.
const inPOST = "PrimaryProcessorInitializationStarted"

// extra tells, once, whether the start takes another POST.
func (c *Controller) extra() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.power.extra
	c.power.extra = false
	return was
}

// pause waits; it returns false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// post is the end of the self test: pending attributes come in force, the
// one-time override is used up.
func (c *Controller) post() Boot {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.pending == nil:
	case c.cfg.Faults.StickJob && c.job != nil:
		c.job.state = "Running"
	default:
		if !c.cfg.Faults.IgnoreBIOS {
			maps.Copy(c.bios, c.pending)
		}
		c.pending, c.applied = nil, c.now()
		c.finish(true) // also where they were ignored: the job doesn't know it
	}
	b := Boot{SecureBoot: c.secureBoot(), Target: TargetNone, Mode: c.cfg.BootMode, Media: c.media, Attributes: c.bios.clone()}
	b.SMT, b.SRIOV = c.kind.on(c.bios, c.kind.smt), c.kind.on(c.bios, c.kind.sriov)
	if c.override.Enabled != Disabled && !c.cfg.Faults.ForgetOverride {
		b.Target, b.Mode = c.override.Target, c.override.Mode
	}
	if c.override.Enabled == Once {
		c.override = override{Enabled: Disabled, Target: TargetNone, Mode: c.cfg.BootMode}
	}
	c.power.progress = "OSBootStarted"
	return b
}

// reset is the action ComputerSystem.Reset.
func (c *Controller) reset(w http.ResponseWriter, r *http.Request) {
	var in struct{ ResetType string }
	if !decode(w, r, &in) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	const conflict = "Base.1.18.ResourceInUse"
	if c.power.busy {
		fail(w, http.StatusConflict, conflict, "the system is in a power transition ("+c.power.state+"); try again later")
		return
	}
	on := c.power.state == On
	if c.cfg.Faults.StickPower {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch in.ResetType {
	case ResetOn:
		if c.trouble.conflicts > 0 {
			c.trouble.conflicts--
			fail(w, http.StatusConflict, conflict, "the server is still ending its last shutdown; try again later")
			return
		}
		if on {
			fail(w, http.StatusConflict, "Base.1.18.NoOperation", "the system is already powered on")
			return
		}
		c.start()
	case ResetForceOff, ResetForceRestart, ResetPowerCycle, ResetGracefulShutdown:
		if !on {
			fail(w, http.StatusConflict, "Base.1.18.NoOperation", "the system is powered off")
			return
		}
		c.down(in.ResetType)
	default:
		fail(w, http.StatusBadRequest, "Base.1.18.ActionParameterNotSupported", "the value "+in.ResetType+" of ResetType is not supported")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// down ends the present boot. c.mu is held and the power is on.
func (c *Controller) down(kind string) {
	if b, ok := c.cfg.Runner.(Presser); ok && kind == ResetGracefulShutdown {
		b.PressPower()
		return
	}
	c.power.busy = true
	if (c.cfg.Faults.PowerConflict || c.kind.habits.powerConflict) && kind != ResetForceRestart {
		c.trouble.conflicts = 2
	}
	c.power.again = kind == ResetForceRestart || kind == ResetPowerCycle
	if kind != ResetForceRestart {
		c.power.state = PoweringOff
	}
	c.power.cut()
}
