package bmc

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tasksPath is the collection of tasks (DSP0266, "Asynchronous operations").
const tasksPath = root + "/TaskService/Tasks"

// jobLife is how long a job that ended is remembered: iDRACs delete theirs
// after a minute.
const jobLife = time.Minute

// job is what the controller makes of a change of BIOS attributes.
type job struct {
	id    string
	state string    // TaskState of DSP0268
	ended time.Time // zero while it runs
}

// begin makes the job of a change, or finds the one that waits. c.mu is held.
func (c *Controller) begin() *job {
	if c.job == nil || !c.job.ended.IsZero() {
		c.jobs++
		c.job = &job{id: "JID_" + strconv.Itoa(1000+c.jobs), state: "Pending"}
	}
	return c.job
}

// finish ends the job at POST. c.mu is held.
func (c *Controller) finish(applied bool) {
	if c.job == nil {
		return
	}
	c.job.state, c.job.ended = "Completed", time.Now()
	if !applied {
		c.job.state = "Exception"
	}
	if c.cfg.Faults.PurgeJob {
		c.job = nil
	}
}

// task is the resource of the job. c.mu is held.
func (c *Controller) task(p string) (object, bool) {
	if c.job == nil || !c.job.ended.IsZero() && time.Since(c.job.ended) > jobLife {
		return nil, false
	}
	if strings.TrimPrefix(p, tasksPath+"/") != c.job.id {
		return nil, false
	}
	o := resource(p, "Task.v1_7_3.Task", c.job.id, "Configure BIOS")
	o["TaskState"], o["TaskStatus"] = c.job.state, "OK"
	message := info("Base.1.18.Success", "the BIOS attributes were applied")
	switch c.job.state {
	case "Exception":
		o["TaskStatus"] = "Critical"
		message = info("Base.1.18.OperationFailed", "the BIOS attributes could not be applied")
	case "Completed":
	default:
		message = info("Base.1.18.OperationPending", "the BIOS attributes are applied at the next reset")
		message["MessageSeverity"], message["Severity"] = "OK", "OK"
	}
	o["Messages"] = []object{message}
	return o, true
}

// taskCollection lists the job that there is. c.mu is held.
func (c *Controller) taskCollection() object {
	var members []string
	if c.job != nil {
		if _, ok := c.task(tasksPath + "/" + c.job.id); ok {
			members = append(members, tasksPath+"/"+c.job.id)
		}
	}
	return collection(tasksPath, "TaskCollection", "Tasks", members...)
}

// accepted answers a change that became a job.
func (c *Controller) accepted(w http.ResponseWriter, j *job) {
	at := tasksPath + "/" + j.id
	w.Header().Set("Location", c.kind.outside(at))
	o, _ := c.task(at)
	reply(w, http.StatusAccepted, c.kind.spoken(o))
}
