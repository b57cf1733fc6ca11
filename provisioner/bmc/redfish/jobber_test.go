package redfish_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// jobber is a controller that makes a job of a change of BIOS attributes. It
// looks done and isn't: a job may be taken and do nothing, fail, or be
// forgotten before anyone asked.
type jobber struct {
	mu       sync.Mutex
	now      map[string]any
	pending  map[string]any
	jobs     int    // made so far
	open     bool   // a job is scheduled
	queue    bool   // the list of jobs can be read
	deaf     bool   // pending values stay so, and no job is made (iDRAC without Location)
	fails    string // the job ends with this message
	purged   bool   // finished jobs are forgotten
	settings string // "whole": all attributes; "empty": what is pending; "none"; "absent": named, and 404; "locked": GET only; "deaf": 405 to PATCH
	allow    bool   // the settings resource tells its methods
	tells    string // where the job is told: "location", "absolute", "body", "message", ""
	times    []string
	bodies   []string                  // of each change
	says     func(http.ResponseWriter) // what the job answers instead
	note     map[string]any            // of @Redfish.Settings beside the rest
	asked    func()                    // before a change is looked at
}

const (
	biosAt     = "/redfish/v1/Systems/1/Bios"
	settingsAt = biosAt + "/Settings"
	jobAt      = "/redfish/v1/TaskService/Tasks/JID_100000000001"
)

func newJobber() *jobber {
	return &jobber{now: map[string]any{"A": "old", "B": "old"}, settings: "empty", tells: "location", times: []string{"OnReset", "Immediate"}}
}

// ServeHTTP implements http.Handler.
func (j *jobber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, biosAt) && r.Method == http.MethodPatch && j.asked != nil {
		j.asked()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case r.URL.Path == "/redfish/v1/":
		send(w, 200, map[string]any{"Systems": id("/redfish/v1/Systems"), "SessionService": id("/redfish/v1/SessionService"), "JobService": id("/redfish/v1/JobService")})
	case r.URL.Path == "/redfish/v1/JobService/Jobs" && j.queue:
		j.list(w)
	case strings.HasPrefix(r.URL.Path, "/redfish/v1/JobService/Jobs/") && j.queue:
		j.task(w)
	case r.URL.Path == "/redfish/v1/SessionService/Sessions":
		w.Header().Set("X-Auth-Token", "token")
		w.Header().Set("Location", r.URL.Path+"/1")
		send(w, 201, map[string]any{})
	case r.URL.Path == "/redfish/v1/Systems":
		send(w, 200, map[string]any{"Members": []any{id("/redfish/v1/Systems/1")}})
	case r.URL.Path == "/redfish/v1/Systems/1":
		send(w, 200, map[string]any{"@odata.id": r.URL.Path, "SerialNumber": "S1", "Bios": id(biosAt)})
	case r.URL.Path == biosAt && r.Method == http.MethodGet:
		j.bios(w)
	case r.URL.Path == settingsAt && r.Method == http.MethodGet && j.settings != "absent":
		j.show(w)
	case r.Method == http.MethodPatch && (r.URL.Path == settingsAt && j.settings != "absent" || r.URL.Path == biosAt):
		j.change(w, r)
	case r.URL.Path == jobAt:
		j.task(w)
	default:
		http.NotFound(w, r)
	}
}

func id(path string) map[string]any { return map[string]any{"@odata.id": path} }

func send(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who hung up needs no answer
}

func (j *jobber) bios(w http.ResponseWriter) {
	body := map[string]any{"Attributes": j.now}
	if j.settings != "none" {
		settings := map[string]any{"SettingsObject": id(settingsAt), "SupportedApplyTimes": j.times}
		maps.Copy(settings, j.note)
		body["@Redfish.Settings"] = settings
	}
	send(w, 200, body)
}

func (j *jobber) show(w http.ResponseWriter) {
	if j.allow {
		w.Header().Set("Allow", map[bool]string{true: "GET", false: "GET, PATCH"}[j.settings == "locked"])
	}
	shown := map[string]any{}
	if j.settings == "whole" {
		maps.Copy(shown, j.now)
	}
	maps.Copy(shown, j.pending)
	send(w, 200, map[string]any{"Attributes": shown})
}

func (j *jobber) change(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == settingsAt && (j.settings == "locked" || j.settings == "deaf") {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	var in struct {
		Attributes map[string]any `json:"Attributes"`
		Apply      struct {
			Time string `json:"ApplyTime"`
		} `json:"@Redfish.SettingsApplyTime"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in) // what can't be read changes nothing
	j.bodies = append(j.bodies, fmt.Sprintf("%s %s %v", strings.TrimPrefix(r.URL.Path, "/redfish/v1/Systems/1"), in.Apply.Time, in.Attributes))
	if j.open {
		send(w, 400, map[string]any{"error": map[string]any{"@Message.ExtendedInfo": []any{map[string]any{
			"MessageId": "IDRAC.2.8.SYS011", "Message": "Pending configuration values are already committed, unable to perform another set operation."}}}})
		return
	}
	j.pending = in.Attributes
	body := map[string]any{}
	if !j.deaf {
		j.jobs, j.open = j.jobs+1, true
		switch j.tells {
		case "location":
			w.Header().Set("Location", jobAt)
		case "absolute":
			w.Header().Set("Location", "https://"+r.Host+jobAt)
		case "body":
			body = map[string]any{"@odata.id": jobAt, "@odata.type": "#Task.v1_4_3.Task", "TaskState": "New"}
		case "message":
			body = map[string]any{"@Message.ExtendedInfo": []any{map[string]any{"Message": "The job JID_100000000001 was created."}}}
		}
	}
	send(w, 202, body)
}

// post is the host's POST: the job is done, or not.
func (j *jobber) post() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.open {
		return
	}
	j.open = false
	if j.fails == "" {
		maps.Copy(j.now, j.pending)
	}
	j.pending = nil
}

func (j *jobber) task(w http.ResponseWriter) {
	switch {
	case j.says != nil:
		j.says(w)
	case j.jobs == 0 || !j.open && j.purged:
		w.WriteHeader(http.StatusNotFound)
	case j.open:
		send(w, 200, map[string]any{"TaskState": "Pending", "TaskStatus": "OK", "Messages": []any{map[string]any{"Message": "Task successfully scheduled."}}})
	case j.fails != "":
		send(w, 200, map[string]any{"TaskState": "Completed", "TaskStatus": "Critical", "Messages": []any{map[string]any{"Message": j.fails, "Severity": "Critical"}}})
	default:
		send(w, 200, map[string]any{"TaskState": "Completed", "TaskStatus": "OK"})
	}
}

// list is the list of jobs: an old one, one of another kind, one that is gone
// when it is asked for, and the open one.
func (j *jobber) list(w http.ResponseWriter) {
	const at = "/redfish/v1/JobService/Jobs/"
	all := []any{
		map[string]any{"@odata.id": at + "JID_1", "Id": "JID_1", "Name": "ConfigBIOS:BIOS.Setup.1-1", "JobState": "Completed"},
		map[string]any{"@odata.id": at + "JID_2", "Id": "JID_2", "Name": "Firmware Update: BIOS", "JobState": "CompletedWithErrors"},
		map[string]any{"@odata.id": at + "JID_3", "Id": "JID_3", "Name": "Reboot", "JobState": "Running"},
	}
	if j.open {
		all = append(all, map[string]any{"@odata.id": jobAt, "Id": "JID_100000000001", "Name": "ConfigBIOS:BIOS.Setup.1-1", "JobState": "Scheduled"})
	}
	send(w, 200, map[string]any{"Members": all})
}
