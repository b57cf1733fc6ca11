package redfish_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
)

// TestBIOSPlaces is point 5 of what field engineers report: changes go to the
// settings resource only where it takes them, else to the Bios resource; and the
// apply time is OnReset where it is offered, never another.
func TestBIOSPlaces(t *testing.T) {
	for _, c := range []struct {
		settings string
		allow    bool
		times    []string
		want     []string
	}{
		{"whole", false, []string{"Immediate", "OnReset"}, []string{"/Bios/Settings OnReset map[A:new]"}},
		{"empty", false, []string{"OnReset"}, []string{"/Bios/Settings OnReset map[A:new]"}},
		{"empty", true, nil, []string{"/Bios/Settings  map[A:new]"}},
		{"empty", false, []string{"Immediate"}, []string{"/Bios/Settings  map[A:new]"}},
		{"none", false, nil, []string{"/Bios  map[A:new]"}},
		{"absent", false, []string{"OnReset"}, []string{"/Bios OnReset map[A:new]"}},
		{"locked", true, []string{"OnReset"}, []string{"/Bios OnReset map[A:new]"}},
		{"deaf", false, []string{"OnReset"}, []string{"/Bios OnReset map[A:new]"}},
	} {
		t.Run(c.settings, func(t *testing.T) {
			m := newJobber()
			m.settings, m.allow, m.times = c.settings, c.allow, c.times
			client, _ := open(t, m, nil)
			wrote, err := client.SetBIOS(t.Context(), map[string]any{"A": "new", "B": "old"})
			if err != nil || len(wrote) != 1 {
				t.Errorf("wrote %v, %v", wrote, err)
			}
			if diff := cmp.Diff(c.want, m.bodies); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			m.post()
			if now, err := client.BIOS(t.Context()); err != nil || now["A"] != "new" {
				t.Errorf("after POST %v, %v", now, err)
			}
		})
	}
}

// TestBIOSCommitted is point 3: a job is made once. One that was made by
// another in the meantime is ours when it holds the same values, and an error
// with the controller's words when it doesn't.
func TestBIOSCommitted(t *testing.T) {
	t.Run("twice", func(t *testing.T) {
		m := newJobber()
		client, _ := open(t, m, nil)
		for range 2 {
			if _, err := client.SetBIOS(t.Context(), map[string]any{"A": "new"}); err != nil {
				t.Fatal(err)
			}
		}
		if m.jobs != 1 || len(m.bodies) != 1 {
			t.Errorf("%d jobs, writes %v", m.jobs, m.bodies)
		}
	})
	for name, c := range map[string]struct {
		theirs map[string]any
		err    string
	}{
		"the same values": {map[string]any{"A": "new"}, ""},
		"other values":    {map[string]any{"B": "new"}, "PATCH /redfish/v1/Systems/1/Bios/Settings: 400 Bad Request: Pending configuration values are already committed"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newJobber()
			m.asked = func() { // between our look and our write
				m.mu.Lock()
				defer m.mu.Unlock()
				m.pending, m.open, m.jobs = c.theirs, true, 1
			}
			client, _ := open(t, m, nil)
			_, err := client.SetBIOS(t.Context(), map[string]any{"A": "new"})
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if m.jobs != 1 {
				t.Errorf("%d jobs", m.jobs)
			}
		})
	}
}

// TestBIOSUncommitted: a run ended between the settings and their job, or
// after it. The next one, which knows nothing of it, makes the job where there
// is none, follows it where there is one, and never makes two.
func TestBIOSUncommitted(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*jobber)
		writes int // of the second run
		jobs   int
		state  redfish.JobState
	}{
		"no job":               {func(j *jobber) {}, 1, 1, redfish.JobWaiting},
		"a job":                {func(j *jobber) { j.open, j.jobs = true, 1 }, 0, 1, redfish.JobWaiting},
		"no list of jobs":      {func(j *jobber) { j.queue = false }, 0, 0, redfish.JobNone},
		"applied without jobs": {func(j *jobber) { j.settings = "whole" }, 0, 0, redfish.JobNone},
		"no apply time":        {func(j *jobber) { j.times = nil }, 0, 0, redfish.JobNone},
		"in force":             {func(j *jobber) { j.now["A"] = "new" }, 0, 0, redfish.JobNone},
	} {
		t.Run(name, func(t *testing.T) {
			m := newJobber()
			m.pending, m.queue = map[string]any{"A": "new"}, true
			c.change(m)
			client, _ := open(t, m, nil)
			for range 2 {
				if _, err := client.SetBIOS(t.Context(), map[string]any{"A": "new", "B": "old"}); err != nil {
					t.Fatal(err)
				}
			}
			job, err := client.BIOSJob(t.Context())
			if err != nil || job.State != c.state || len(m.bodies) != c.writes || m.jobs != c.jobs {
				t.Errorf("writes %v, %d jobs, %+v, %v", m.bodies, m.jobs, job, err)
			}
		})
	}
}

// TestBIOSJob is points 4 and 11: what the job says is one thing, what is in
// force after POST another. A forgotten job is unknown, not done.
func TestBIOSJob(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*jobber)
		before redfish.Job // of POST
		after  redfish.Job
		value  any // of A after POST
	}{
		{"applied", func(*jobber) {}, redfish.Job{State: redfish.JobWaiting, Path: jobAt, Said: "Task successfully scheduled."}, redfish.Job{State: redfish.JobDone, Path: jobAt, Said: "Completed"}, "new"},
		{"told absolutely", func(j *jobber) { j.tells = "absolute" }, redfish.Job{State: redfish.JobWaiting, Path: jobAt, Said: "Task successfully scheduled."}, redfish.Job{State: redfish.JobDone, Path: jobAt, Said: "Completed"}, "new"},
		{"told in the body", func(j *jobber) { j.tells = "body" }, redfish.Job{State: redfish.JobWaiting, Path: jobAt, Said: "Task successfully scheduled."}, redfish.Job{State: redfish.JobDone, Path: jobAt, Said: "Completed"}, "new"},
		{"told in a message", func(j *jobber) { j.tells = "message" }, redfish.Job{State: redfish.JobWaiting, Path: jobAt, Said: "Task successfully scheduled."}, redfish.Job{State: redfish.JobDone, Path: jobAt, Said: "Completed"}, "new"},
		{"forgotten", func(j *jobber) { j.purged = true }, redfish.Job{State: redfish.JobWaiting, Path: jobAt, Said: "Task successfully scheduled."}, redfish.Job{State: redfish.JobUnknown, Path: jobAt, Said: "the BMC no longer knows it"}, "new"},
		{"failed", func(j *jobber) { j.fails = "SYS053: unable to apply A" }, redfish.Job{State: redfish.JobWaiting, Path: jobAt, Said: "Task successfully scheduled."}, redfish.Job{State: redfish.JobFailed, Path: jobAt, Said: "SYS053: unable to apply A"}, "old"},
		{"failed and forgotten", func(j *jobber) { j.fails, j.purged = "x", true }, redfish.Job{State: redfish.JobWaiting, Path: jobAt, Said: "Task successfully scheduled."}, redfish.Job{State: redfish.JobUnknown, Path: jobAt, Said: "the BMC no longer knows it"}, "old"},
		{"accepted without a job", func(j *jobber) { j.deaf = true }, redfish.Job{State: redfish.JobNone}, redfish.Job{State: redfish.JobNone}, "old"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newJobber()
			c.change(m)
			client, _ := open(t, m, nil)
			if _, err := client.SetBIOS(t.Context(), map[string]any{"A": "new"}); err != nil {
				t.Fatal(err)
			}
			before, err := client.BIOSJob(t.Context())
			if diff := cmp.Diff(c.before, before); diff != "" || err != nil {
				t.Errorf("before POST: %v -want +got:\n%s", err, diff)
			}
			m.post()
			now, err := client.BIOS(t.Context())
			if err != nil || now["A"] != c.value {
				t.Errorf("after POST: %v, %v", now, err)
			}
			after, err := client.BIOSJob(t.Context())
			if diff := cmp.Diff(c.after, after); diff != "" || err != nil {
				t.Errorf("after POST: %v -want +got:\n%s", err, diff)
			}
		})
	}
}

// TestJobWords: the words of tasks (DSP0268 Task), of task monitors (DSP0266)
// and of an iDRAC's jobs.
func TestJobWords(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   redfish.JobState
		said   string
	}{
		{200, `{"TaskState":"Running","TaskStatus":"OK"}`, redfish.JobWaiting, "Running"},
		{200, `{"TaskState":"Completed","TaskStatus":"OK"}`, redfish.JobDone, "Completed"},
		{200, `{"TaskState":"Completed","TaskStatus":"Warning","Messages":[{"Message":"one attribute was left out"}]}`, redfish.JobFailed, "one attribute was left out"},
		{200, `{"TaskState":"Completed","Messages":[{"Message":"began"},{"Message":"no","MessageSeverity":"Critical"}]}`, redfish.JobFailed, "no"},
		{200, `{"TaskState":"Exception","Messages":[{"MessageId":"Base.1.8.GeneralError"}]}`, redfish.JobFailed, "Base.1.8.GeneralError"},
		{200, `{"TaskState":"Cancelled"}`, redfish.JobFailed, "Cancelled"},
		{200, `{"JobState":"Scheduled","Message":"Task successfully scheduled."}`, redfish.JobWaiting, "Task successfully scheduled."},
		{200, `{"JobState":"CompletedWithErrors","Message":"Job completed with errors."}`, redfish.JobFailed, "Job completed with errors."},
		{200, `{"JobState":"Completed","Message":"Job completed successfully."}`, redfish.JobDone, "Job completed successfully."},
		{200, `{"TaskState":"Sleeping"}`, redfish.JobUnknown, "Sleeping"},
		{200, `{"TaskState":7}`, redfish.JobUnknown, ""},
		{200, `<html>`, redfish.JobUnknown, "its state is no JSON"},
		{202, `{}`, redfish.JobWaiting, ""},
		{202, `{"TaskState":"Exception"}`, redfish.JobFailed, "Exception"},
		{204, ``, redfish.JobDone, ""},
		{404, ``, redfish.JobUnknown, "the BMC no longer knows it"},
		{410, ``, redfish.JobUnknown, "the BMC no longer knows it"},
	} {
		m := newJobber()
		client, _ := open(t, m, nil)
		if _, err := client.SetBIOS(t.Context(), map[string]any{"A": "new"}); err != nil {
			t.Fatal(err)
		}
		m.says = func(w http.ResponseWriter) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body)) // who hung up needs no answer
		}
		got, err := client.BIOSJob(t.Context())
		if err != nil || got.State != c.want || got.Said != c.said {
			t.Errorf("%d %s: %+v, %v", c.status, c.body, got, err)
		}
	}
}

// TestSettingsMessages: without a job, the time and the messages beside the
// attributes tell what became of a change. Those of an earlier one tell nothing.
func TestSettingsMessages(t *testing.T) {
	old := map[string]any{"Time": "2026-01-01T00:00:00Z", "Messages": []any{map[string]any{"Message": "an old refusal", "Severity": "Critical"}}}
	for _, c := range []struct {
		name string
		note map[string]any // after POST
		want redfish.Job
	}{
		{"as before", old, redfish.Job{State: redfish.JobNone}},
		{"applied", map[string]any{"Time": "2026-01-02T00:00:00Z", "Messages": []any{map[string]any{"MessageId": "Base.1.0.Success"}}}, redfish.Job{State: redfish.JobDone, Said: "Base.1.0.Success"}},
		{"refused", map[string]any{"Time": "2026-01-02T00:00:00Z", "Messages": []any{map[string]any{"MessageId": "Base.1.0.Success"}, map[string]any{"Message": "A is locked", "Severity": "Critical"}}},
			redfish.Job{State: redfish.JobFailed, Said: "A is locked"}},
		{"told no more", map[string]any{}, redfish.Job{State: redfish.JobNone}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newJobber()
			m.tells, m.note = "", old
			client, _ := open(t, m, nil)
			if _, err := client.SetBIOS(t.Context(), map[string]any{"A": "new"}); err != nil {
				t.Fatal(err)
			}
			m.note = c.note
			if _, err := client.BIOS(t.Context()); err != nil {
				t.Fatal(err)
			}
			got, err := client.BIOSJob(t.Context())
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v -want +got:\n%s", err, diff)
			}
		})
	}
}
