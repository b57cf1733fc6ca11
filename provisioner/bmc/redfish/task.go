package redfish

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// job is what a controller makes of a change of BIOS attributes: a Task
// (DSP0266, "Asynchronous operations"), a task monitor, or an iDRAC's job.
type job struct {
	at      path     // empty: the controller named none
	before  text     // when an earlier change came in force, as the controller told before this one
	applied settings // what the Bios resource told last
}

// message is one entry of a list of messages (DSP0268 Message).
type message struct {
	ID       text `json:"MessageId"`
	Text     text `json:"Message"`
	Severity text `json:"Severity"`
	Class    text `json:"MessageSeverity"`
}

func (m message) bad() bool {
	return m.Severity == "Critical" || m.Class == "Critical"
}

// String implements fmt.Stringer.
func (m message) String() string {
	if m.Text != "" {
		return string(m.Text)
	}
	return string(m.ID)
}

// JobState is how a job stands.
type JobState string

// The states. A job that the controller has forgotten is unknown, never done:
// controllers delete finished ones after a minute, and failed ones too.
const (
	JobNone    JobState = "none"
	JobWaiting JobState = "waiting"
	JobDone    JobState = "done"
	JobFailed  JobState = "failed"
	JobUnknown JobState = "unknown"
)

// Job is how the job of the last SetBIOS stands. Not even JobDone proves that
// the attributes are in force; only BIOS does.
type Job struct {
	State JobState
	Path  string // empty where the controller named no job
	Said  string // the controller's own words
}

// String tells the job for people.
func (j Job) String() string {
	if j.State == JobNone {
		return ""
	}
	text := "job " + j.Path
	if j.Path == "" {
		text = "the BIOS"
	}
	text += " is " + string(j.State)
	if j.Said != "" {
		text += ": " + j.Said
	}
	return text
}

// BIOSJob asks how the job of the last SetBIOS of this client stands. Where the
// controller named none, what the last BIOS told of applied settings counts. The
// error is for a controller that gives no answer.
func (c *Client) BIOSJob(ctx context.Context) (Job, error) {
	done, err := c.speak(ctx)
	if err != nil {
		return Job{State: JobUnknown}, err
	}
	defer done()
	if c.job.at == "" {
		return c.job.settled(), nil
	}
	a, err := c.exchange(ctx, http.MethodGet, string(c.job.at), nil, nil)
	if err != nil {
		return Job{JobUnknown, string(c.job.at), ""}, err
	}
	j := Job{Path: string(c.job.at)}
	switch {
	case a.status == http.StatusNotFound || a.status == http.StatusGone:
		j.State, j.Said = JobUnknown, "the BMC no longer knows it"
	case a.status == http.StatusNoContent:
		j.State = JobDone
	case !a.ok():
		return Job{JobUnknown, j.Path, ""}, c.refusal(http.MethodGet, j.Path, a)
	default:
		j.State, j.Said = taskState(a.body)
		if a.status == http.StatusAccepted && j.State == JobUnknown {
			j.State = JobWaiting // a task monitor: 202 until the end
		}
	}
	j.Said = c.redact(j.Said)
	return j, nil
}

// settled reads the annotation @Redfish.Settings: its Time changes when a
// change was applied or refused, and Messages say which.
func (j job) settled() Job {
	if j.applied.Time == "" || j.applied.Time == j.before {
		return Job{State: JobNone}
	}
	out := Job{State: JobDone}
	for _, m := range j.applied.Messages {
		if out.Said == "" || m.bad() {
			out.Said = m.String()
		}
	}
	if slices.ContainsFunc(j.applied.Messages, message.bad) {
		out.State = JobFailed
	}
	return out
}

// taskState judges a Task (DSP0268) or an iDRAC's DellJob.
func taskState(body []byte) (JobState, string) {
	var t struct {
		Task     text      `json:"TaskState"`
		Health   text      `json:"TaskStatus"`
		Job      text      `json:"JobState"`
		Message  text      `json:"Message"`
		Messages []message `json:"Messages"`
	}
	if decode(body, &t) != nil {
		return JobUnknown, "its state is no JSON"
	}
	word := t.Task
	if word == "" {
		word = t.Job
	}
	said := string(t.Message)
	for _, m := range t.Messages {
		if said == "" || m.bad() {
			said = m.String()
		}
	}
	if said == "" {
		said = string(word)
	}
	switch word {
	case "Completed":
		if t.Health != "" && t.Health != "OK" || slices.ContainsFunc(t.Messages, message.bad) {
			return JobFailed, said
		}
		return JobDone, said
	case "Exception", "Killed", "Cancelled", "CompletedWithErrors", "Failed", "RebootFailed":
		return JobFailed, said
	case "New", "Starting", "Running", "Suspended", "Interrupted", "Pending", "Stopping", "Service", "Cancelling",
		"Scheduled", "Scheduling", "Downloading", "Downloaded", "Waiting", "Paused", "ReadyForExecution", "RebootPending", "UserIntervention":
		return JobWaiting, said
	}
	return JobUnknown, said
}

// jobOf finds the job in the answer to a change: its Location, the task in the
// body, or the number of an iDRAC's job in its messages.
func (c *Client) jobOf(a answer) path {
	if at := within(a.header.Get("Location"), path(rootPath), c.cfg.URL); at != "" {
		return at
	}
	var body struct {
		Path path `json:"@odata.id"`
		Type text `json:"@odata.type"`
	}
	if decode(a.body, &body) == nil && (strings.HasPrefix(string(body.Type), "#Task.") || strings.HasPrefix(string(body.Type), "#DellJob.")) {
		return body.Path
	}
	if id := regexp.MustCompile(`\bJID_\d+\b`).Find(a.body); id != nil {
		return path(fmt.Sprintf("%s/TaskService/Tasks/%s", rootPath, id))
	}
	return ""
}

// uncommitted returns what waits in the settings resource and has no job to
// apply it. An iDRAC applies pending values by a job, which comes with the
// apply time; values without one stay pending for ever, as when a run ended
// between both. Where the list of jobs (DSP0268 JobService) has one, it is
// followed; where that can't be told, nothing is written.
func (c *Client) uncommitted(ctx context.Context, f firmware, want map[string]any) map[string]any {
	waits := map[string]any{}
	for name, value := range want {
		if !same(f.now[name], value) {
			waits[name] = value
		}
	}
	onlyPending := len(f.pending) < len(f.now)
	if len(waits) == 0 || !f.onReset || !onlyPending || c.job.at != "" {
		return nil
	}
	at, known := c.queued(ctx)
	if !known {
		return nil
	}
	if at != "" {
		c.job = job{at: at, before: f.applied.Time}
		return nil
	}
	return waits
}

// queued looks for a job about BIOS settings that has not ended.
func (c *Client) queued(ctx context.Context) (at path, known bool) {
	root, err := c.service(ctx)
	if err != nil || root.JobService.Path == "" {
		return "", false
	}
	err = c.members(ctx, root.JobService.join("/Jobs").Path, func(p path, raw []byte, err error) error {
		var j struct {
			Name text `json:"Name"`
		}
		if err != nil {
			return absent(err) // it ended while we looked
		}
		state, _ := taskState(raw)
		if decode(raw, &j) == nil && state == JobWaiting && strings.Contains(string(j.Name), "BIOS") {
			at = p
		}
		return nil
	})
	return at, err == nil
}
