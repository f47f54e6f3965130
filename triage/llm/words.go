package llm

import "strings"

// plainWords is the English that a claim may use beside the words of what it cites: how things are joined, told, ordered and weighed, and the
// things of this trade. It names no product, no attack and no cause, so that those come from the evidence alone. A word that is neither here
// nor there may be a name that the model made up.
var plainWords = stemsOf(`
a an the this that these those it its itself they them their there here which who whom whose what when where while why how and or but if then than as so
also again both either with within of off on onto to into in out from by for at about above across after afterwards along among around before behind below
beside between beyond during followed following until up upon over under through throughout toward towards via per against near next later earlier soon
shortly just already still even ever once first second third last latest final finally former previous previously subsequent subsequently same another other
others several multiple many more most much few fewer less least some any such further
is are was were be been being am has have had having do does did done can could may might would will seem seems appear appears
account accounts user users person people operator technician engineer contractor owner actor identity name named session sessions sign signs sign-in signed
signing login logins logon logons logged log logs signin password passwords credential credentials prompt prompts factor second-factor mfa push authentication
authenticate authenticated authorization role roles right rights privilege privileges access accessed accessing
robot robots cobot machine machines arm cell cells fleet controller controllers vehicle console pendant device devices host hosts laptop workstation server
servers endpoint endpoints computer system systems network networks address addresses port ports connection connections connect connected connecting traffic
data volume byte bytes outbound inbound internal external private public remote remotely local place places location country countries zone zones segment vlan
wireless interface service services protocol
event events evidence record records finding findings incident incidents alert alerts alarm alarms signal signals rule rules detection detect detected report
reports reported reporting observe observed see seen saw show shows showed shown showing note noted record recorded recording state states stated status
change changes changed changing change-related modify modified modification update updated updates set setting settings switch switched configuration
configured configure value values version versions firmware program programs map maps mode modes operating operation operations order orders command commands
commanded instruction load loaded loading transfer transferred send sent receive received reach reached reaching approach
firmware checksum posture policy policies ticket tickets safety fault faults error errors failure failures failed fail trouble problem problems motion position
battery motor sensor brake temperature voltage
happen happened happens occur occurred occurs occurring begin began begun start started starting end ended ending continue continued come came coming go went
gone get got give gave given take took taken make made use used using try tried trying attempt attempts attempted act acts acted acting action actions activity
activities involve involved involves involving affect affected affects affecting concern concerns concerned touch touched target targeted targets include
includes included contain contains join joined link linked links linking lead leads led leading chain sequence series step steps stage trail path pattern order
follow follows precede preceded precedes coincide coincided coincides overlap align aligned match matches matched
intrusion intrusions malfunction malfunctions misuse compromise compromised takeover suspicious suspect suspected unusual unexpected abnormal anomalous
anomaly attacker adversary unauthorised unauthorized abuse abused
suggest suggests suggested indicate indicates indicated indicating point points pointed pointing support supports supported consistent weigh weighs weighed
weight balance favour favours favor favors speak speaks reading readings assessment undetermined unclear uncertain unknown open question questions answer
likely probably possible possibly perhaps plausible strong stronger strongly weak weaker clear clearly evident evidently low medium high critical severity
confidence score
minute minutes min hour hours second seconds day days time times timeline moment period interval utc morning night
new newly different own old old long short brief briefly rapid rapidly quick quickly large larger small smaller great greater
successful success succeed succeeded known knows know repeat repeated repeatedly repetition number numbers count counts total run runs one
result results resulting cause caused because due since reason reasons context fact facts part parts kind kinds type types way ways thing things side
together apart alone directly direct indirectly initial initially main key related relates relation associated association respectively
source sources destination origin originate originated information detail details text field fields
it ot it/ot nac edr mdm sso ssh tcp udp http https dns ip mac plc hmi vpn rdp ui api id ids
`)

// orders begin a sentence that tells somebody to do something, or are words of such a sentence anywhere.
var (
	imperatives = wordsOf(`check verify ensure stop isolate restart disable enable contact call ask review investigate look inspect consider do run execute use open
		close ignore treat mark set change reset remove block allow disregard follow click see keep make take send tell delete approve escalate confirm
		perform apply start shut turn switch unplug disconnect revoke lock unlock notify inform assume classify label remember note read write reply answer
		respond output print return act go wait try forget bypass override proceed continue monitor compare examine interview validate update upgrade rotate`)
	orderWords = wordsOf(`you your yours yourself we us our i me my please should must shall ought need needs needed recommend recommends recommended recommendation
		advise advised advice let's require requires required necessary urgent urgently immediately now do don't`)
	controlWords = stemsOf(`stop stopped isolate isolation restart disable shut shutdown reboot block quarantine unplug reset kill revoke override bypass power
		disconnect delete wipe reinstall reimage rollback lock unlock suspend terminate halt pause resume evacuate release disarm remove erase format`)
	absenceWords = wordsOf(`no not none never nothing nobody nowhere without neither nor absent absence lack lacks lacking missing isn't wasn't aren't weren't
		cannot can't don't doesn't didn't hasn't haven't unaffected unharmed unchanged intact normal normally benign harmless legitimate innocent innocuous false
		expected routine safe safely fine ok okay clean resolved contained mitigated remediated prevented authorised authorized approved permitted planned
		scheduled maintenance test testing drill exercise`)
	universalWords = wordsOf(`all every each everything everyone always entire entirely whole wholly only solely exclusively any anything anyone completely fully`)
	pluralWords    = wordsOf(`several multiple many repeated repeatedly numerous again`)
)

// certainty is the least confidence a word needs; 3 is more than there is.
var certainty = map[string]int{
	"likely": 1, "probably": 1, "strongly": 2, "clearly": 2, "clear": 2, "evidently": 2, "evident": 2, "obviously": 3, "obvious": 3, "certainly": 3, "certain": 3,
	"definitely": 3, "definite": 3, "undoubtedly": 3, "doubtless": 3, "proven": 3, "proves": 3, "prove": 3, "proof": 3, "confirmed": 3, "confirms": 3, "confirm": 3,
	"surely": 3, "sure": 3, "guaranteed": 3, "conclusive": 3, "conclusively": 3, "unquestionably": 3, "indisputable": 3, "undeniably": 3,
}

var numberWords = map[string]string{
	"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "twice": "2", "thrice": "3",
}

func wordsOf(list string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		out[w] = true
	}
	return out
}

func stemsOf(list string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		for part := range strings.FieldsFuncSeq(w, func(r rune) bool { return r == '-' || r == '/' }) {
			out[stem(part)] = true
		}
	}
	return out
}

// stem cuts the usual endings, so that signed, signs and signing are one word. It is crude and always the same.
func stem(w string) string {
	w = strings.TrimSuffix(strings.ToLower(w), "'s")
	for range 2 {
		w = unend(w)
	}
	if rest, ok := strings.CutSuffix(w, "e"); ok && len(rest) >= 3 {
		w = rest
	}
	if n := len(w); n > 3 && w[n-1] == w[n-2] {
		w = w[:n-1]
	}
	return w
}

func unend(w string) string {
	for _, e := range [...]struct{ cut, put string }{{"ied", "y"}, {"ies", "y"}, {"ing", ""}, {"ed", ""}, {"es", ""}, {"ly", ""}, {"s", ""}} {
		if rest, ok := strings.CutSuffix(w, e.cut); ok && len(rest) >= 3 {
			return rest + e.put
		}
	}
	return w
}
