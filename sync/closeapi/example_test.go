package closeapi_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"time"

	"closesync/sync/closeapi"
	"closesync/sync/closetest"
)

// imitation stands in for Close in these examples.
func imitation(leads int) (*closetest.Server, *closeapi.Client, func()) {
	srv := closetest.New(closetest.Options{Seed: 1, Leads: leads})
	h := httptest.NewServer(srv)
	client, err := closeapi.New(closeapi.Options{BaseURL: h.URL + "/api/v1", Key: closeapi.Secret(srv.Key())})
	if err != nil {
		log.Fatal(err)
	}
	return srv, client, func() {
		client.CloseIdle()
		h.Close()
	}
}

func Example() {
	key := closeapi.Secret(os.Getenv("CLOSE_API_KEY"))
	client, err := closeapi.New(closeapi.Options{Key: key, UserAgent: "my-program/1.0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	me, err := client.Me(context.Background())
	switch {
	case errors.Is(err, closeapi.ErrUnauthorized):
		fmt.Println("the key is wrong")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println("works as", me.Email)
	}
}

// Iterators hide pages, cursors that expire and caps on paging.
func ExampleLeadService_All() {
	_, client, end := imitation(450)
	defer end()
	n := 0
	for lead, err := range client.Leads().All(context.Background(), "name", "status_id") {
		if err != nil {
			log.Fatal(err)
		}
		if n++; n == 1 {
			fmt.Println("first:", *lead.Name)
		}
	}
	fmt.Println(n, "leads")
	// Output:
	// first: Brackwater 1
	// 450 leads
}

// A PUT changes the named fields only; nil clears one, and ".add" adds one
// value of several.
func ExampleLeadService_Update() {
	srv, client, end := imitation(0)
	defer end()
	ctx := context.Background()
	tags := srv.CustomField("lead", "Tags")
	lead, err := client.Leads().Create(ctx, closeapi.NewLead{Name: "Brackwater Logistics", Description: "Haulage"})
	if err != nil {
		log.Fatal(err)
	}
	lead, err = client.Leads().Update(ctx, lead.ID, closeapi.Changes{
		"description": nil, "custom." + tags + ".add": "eu",
	})
	if err != nil {
		log.Fatal(err)
	}
	value, _ := lead.Extra.Custom(tags)
	fmt.Println(*lead.Name, lead.Description == nil, value)
	// Output: Brackwater Logistics true ["eu"]
}

// Conditions are built from typed nodes; RawQuery takes the JSON that the app
// shows for a Smart View instead.
func ExampleClient_Search() {
	_, client, end := imitation(40)
	defer end()
	created := closeapi.RegularField("lead", "date_created")
	page, err := client.Search(context.Background(), closeapi.SearchRequest{
		Query: closeapi.And(
			closeapi.ObjectType("lead"),
			closeapi.HasRelated("lead", "opportunity", closeapi.Where(
				closeapi.RegularField("opportunity", "status_type"), closeapi.IsTerm("active"))),
			closeapi.Not(closeapi.Where(created, closeapi.InMoments(
				closeapi.Past(closeapi.AtNow(), closeapi.Offset{Months: 1}, closeapi.StartOfDay), nil))),
		),
		Fields:        map[string][]string{"lead": {"id", "name"}},
		Sort:          []closeapi.Sort{{Direction: closeapi.Descending, Field: created}},
		Limit:         2,
		IncludeCounts: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(page.Data), "of", page.Count.Total)
	// Output: 2 of 40
}

// A walk in batches: store each one together with Through, and go on from
// there after a stop.
func ExampleClient_SearchBatches() {
	_, client, end := imitation(230)
	defer end()
	var watermark time.Time
	n := 0
	for batch, err := range client.SearchBatches(context.Background(), closeapi.SearchWalk{
		ObjectType: "contact", Field: "date_updated", From: watermark, Fields: []string{"name", "emails"}, Limit: 200,
	}) {
		if err != nil {
			log.Fatal(err)
		}
		n += len(batch.Records)
		watermark = batch.Through
	}
	fmt.Println(n, "contacts, each once; go on from there:", !watermark.IsZero())
	// Output: 460 contacts, each once; go on from there: true
}

// The event log is read from its newest entry back to a watermark, with the
// five minutes of overlap that Close advises.
func ExampleClient_EventLog() {
	srv, client, end := imitation(1)
	defer end()
	lead := srv.List("lead")[0]["id"].(string)
	if err := srv.Update(lead, map[string]any{"name": "Renamed"}); err != nil {
		log.Fatal(err)
	}
	for e, err := range client.EventLog(context.Background(), closeapi.EventWalk{Watermark: time.Now().Add(-time.Hour)}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.ObjectType, e.Action, e.ChangedFields[0], e.ObjectID == lead)
	}
	// Output: lead updated date_updated true
}

// A write whose answer was lost is not repeated by the client: Close knows no
// idempotency key. Look first, then decide.
func ExampleUnknownOutcomeError() {
	srv, client, end := imitation(0)
	defer end()
	srv.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Nth: 1, Kind: closetest.FaultCutAfter})
	_, err := client.Leads().Create(context.Background(), closeapi.NewLead{Name: "Once"})
	var unknown *closeapi.UnknownOutcomeError
	fmt.Println(errors.As(err, &unknown))
	for e, err := range client.EventLog(context.Background(), closeapi.EventWalk{
		Options:   closeapi.EventOptions{ObjectType: "lead", Action: "created"},
		Watermark: time.Now().Add(-time.Minute),
	}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("it was created:", e.ObjectID != "")
	}
	// Output:
	// true
	// it was created: true
}

// Endpoints without a method of their own are reached under the same limits
// and retry rules.
func ExampleClient_Do() {
	_, client, end := imitation(0)
	defer end()
	r, err := client.Do(context.Background(), "GET", "/integration_link/", nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Status, len(r.Body) > 0)
	// Output: 200 true
}
