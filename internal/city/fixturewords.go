package city

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// frigateID is how Frigate names what it tracks.
func frigateID(at time.Time, tag uint32) string {
	return fmt.Sprintf("%d.%06d-%06x", at.Unix(), at.Nanosecond()/1000, tag&0xffffff)
}

// daylight is how busy a street is at a time, 0 to 1.
func daylight(at time.Time) float64 {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	return 0.04 + 0.96*math.Pow(max(0, math.Sin((hour-5)/19*math.Pi)), 1.5)
}

// radioDay tells a radio sensor's day: uplinks, a status, and joins.
func (t *Town) radioDay(x *radio, day time.Time, keep func(utterance)) {
	end := day.AddDate(0, 0, 1)
	if n, since := x.session(end.Add(-time.Nanosecond)); n > 0 && !since.Before(day) {
		keep(t.lora(x, since, "join", func(at time.Time) map[string]any { return map[string]any{"devAddr": x.address(n)} }))
	}
	for at := x.offset; at < 24*time.Hour; at += x.every {
		keep(t.uplink(x, day.Add(at), x.frame(day.Add(at)), ""))
	}
	keep(t.lora(x, day.Add(x.offset+x.every/2+time.Duration(x.index)*11*time.Minute), "status", func(at time.Time) map[string]any {
		return map[string]any{"margin": 8 + x.index%12, "batteryLevel": 95 - x.index%40, "externalPowerSource": x.what == radioLamp}
	}))
}

// uplink is one frame of a radio, as the network server tells it. A copy of an
// earlier frame has a name of its own.
func (t *Town) uplink(x *radio, at time.Time, count uint32, copied string) utterance {
	return t.lora(x, at, "up", func(at time.Time) map[string]any {
		n, _ := x.session(at)
		r := draw(t.seed, "uplink"+copied, uint64(x.index), uint64(n), uint64(count))
		data := make([]byte, 8)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		var heard []map[string]any
		for g := range 1 + r.IntN(3) {
			heard = append(heard, map[string]any{
				"gatewayId": fmt.Sprintf("02a1b2c3d4e5f60%d", g+1), "rssi": -70 - r.IntN(45), "snr": math.Round(between(r, -8, 11)*10) / 10,
			})
		}
		return map[string]any{
			"devAddr": x.address(n), "fCnt": count, "fPort": 2, "data": base64.StdEncoding.EncodeToString(data),
			"object": x.object(r, at), "rxInfo": heard,
			"txInfo": map[string]any{
				"frequency":  868100000 + 200000*r.IntN(3),
				"modulation": map[string]any{"lora": map[string]any{"bandwidth": 125000, "spreadingFactor": 7 + r.IntN(3)}},
			},
			"deduplicationId": fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32N(1<<16), r.Uint32N(1<<12), r.Uint32N(1<<12), r.Uint64N(1<<48)),
		}
	})
}

// lora is an event of the network server about a radio.
func (t *Town) lora(x *radio, at time.Time, kind string, more func(at time.Time) map[string]any) utterance {
	return utterance{at: at, device: loraServer, http: true, topic: "chirpstack?event=" + kind, body: func(at time.Time) []byte {
		m := more(at)
		m["time"] = at.UTC().Format("2006-01-02T15:04:05.000000Z")
		m["deviceInfo"] = map[string]any{
			"tenantName": TownName, "applicationName": "streets", "deviceProfileName": x.kind, "deviceName": x.id, "devEui": x.eui,
		}
		if _, named := m["deduplicationId"]; !named {
			h := mix(uint64(at.UnixNano()) ^ uint64(x.index)<<40)
			m["deduplicationId"] = fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(h), uint16(h>>32), h>>48&0xfff, h>>12&0xfff, mix(h)&(1<<48-1))
		}
		return jsonOf(m)
	}}
}

// object is what a radio's codec makes of its bytes.
func (x *radio) object(r *rand.Rand, at time.Time) map[string]any {
	round := func(v float64) float64 { return math.Round(v*10) / 10 }
	busy := daylight(at)
	switch x.what {
	case radioNoise:
		leq := 38 + 24*busy + between(r, -3, 3)
		return map[string]any{"laeq": round(leq), "lafmax": round(leq + between(r, 6, 22)), "la90": round(leq - between(r, 4, 9))}
	case radioAir:
		return map[string]any{
			"pm2_5": round(4 + 7*busy + between(r, 0, 4)), "pm10": round(9 + 11*busy + between(r, 0, 6)), "no2": round(6 + 22*busy + between(r, 0, 5)),
			"temperature": round(9 + 5*busy + between(r, -1, 1)), "humidity": round(between(r, 70, 90)),
		}
	case radioBin: // filled in three days
		full := math.Mod(float64(at.Unix())/86400/3+float64(x.index)/14, 1)
		return map[string]any{"fill_level": round(full * 96), "temperature": round(8 + 6*busy), "battery": 95 - x.index%30}
	case radioLamp:
		on := at.Hour() >= 18 || at.Hour() < 6
		dim := 0
		if on {
			dim = 70
		}
		return map[string]any{"lamp": on, "dim": dim, "active_power": round(float64(dim)*0.6 + between(r, 0.4, 0.9))}
	default:
		return map[string]any{"door": busy > 0.3 && r.Float64() < 0.05, "battery": 90 - x.index%30}
	}
}

// counterDay tells what a counter counts, in SenML (RFC 8428).
func (t *Town) counterDay(c *counter, day time.Time, keep func(utterance)) {
	for at := c.offset; at < 24*time.Hour; at += countEvery {
		keep(utterance{at: day.Add(at), device: counterBox, topic: "street/" + c.what + "/" + c.name, body: func(at time.Time) []byte {
			r := draw(t.seed, "count "+c.name, uint64(at.Unix()))
			half := c.busy * daylight(at) / 2
			pack := []map[string]any{
				{"bn": c.name + ":", "bt": at.Unix(), "n": "in", "u": "count", "v": poisson(r, half)},
				{"n": "out", "u": "count", "v": poisson(r, half)},
			}
			if c.what == "traffic" {
				pack = append(pack, map[string]any{"n": "speed", "u": "km/h", "v": math.Round(between(r, 24, 46)*10) / 10})
			}
			return jsonOf(pack)
		}})
	}
}

// fleet is how many vehicles the island has.
const fleet = 900

// cameraDay tells which plates a camera reads.
func (t *Town) cameraDay(index int, day time.Time, keep func(utterance)) {
	c := &t.fix.cameras[index]
	r := draw(t.seed, "camera day", uint64(index), dayNumber(day))
	for hour := range 24 {
		begin := day.Add(time.Duration(hour) * time.Hour)
		for range poisson(r, c.hourly*daylight(begin)) {
			at := begin.Add(time.Duration(r.Int64N(int64(time.Hour))).Truncate(time.Millisecond))
			read := map[string]any{
				"plate": plate(r.IntN(fleet)), "lane": 1 + r.IntN(2), "direction": pick(r, []string{"in", "out"}),
				"speed": math.Round(between(r, 22, 52)), "confidence": math.Round(between(r, 0.82, 0.99)*100) / 100,
			}
			keep(utterance{at: at, device: plateBox, topic: "anpr/" + c.name, body: func(at time.Time) []byte {
				read["time"] = at.UTC().Format("2006-01-02T15:04:05.000Z")
				return jsonOf(read)
			}})
		}
	}
}

// plate is the plate of a vehicle of the island. It has nine letters and digits:
// no plate of the United Kingdom has more than seven.
func plate(vehicle int) string {
	return fmt.Sprintf("SKW %05d %c", 10000+vehicle*91%90000, 'A'+vehicle%26)
}

// shot is a gunshot system's report of what one of its sensors heard.
func (t *Town) shot(at time.Time, zone, kind string, rounds int, where vec, sure float64) utterance {
	p := t.point(where)
	return utterance{at: at, device: gunshotNet, http: true, topic: "gunshot", body: func(at time.Time) []byte {
		m := map[string]any{
			"id": fmt.Sprintf("%s-%d", zone, at.UnixMilli()), "type": kind, "time": at.UTC().Format("2006-01-02T15:04:05.000Z"),
			"lat": math.Round(p.Lat*1e6) / 1e6, "lon": math.Round(p.Lon*1e6) / 1e6, "accuracy": 20, "zone": zone, "confidence": sure,
		}
		if rounds > 0 {
			m["rounds"] = rounds
		}
		return jsonOf(m)
	}}
}
