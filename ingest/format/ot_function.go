package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// Activities of ot_command.
const (
	otRead       uint16 = 1
	otWrite      uint16 = 2
	otRun        uint16 = 3
	otStop       uint16 = 4
	otDownload   uint16 = 6
	otUpload     uint16 = 7
	otModify     uint16 = 8
	otDelete     uint16 = 9
	otSetTime    uint16 = 10
	otFirmware   uint16 = 12
	otConnect    uint16 = 13
	otDisconnect uint16 = 14
	otDiagnose   uint16 = 15
	otRestart    uint16 = 16
)

// otFunction is one function of an industrial protocol and what it does to the device.
type otFunction struct {
	code     int64
	name     string
	activity uint16
}

// modbusFunctions are the public and the known vendor functions: Modbus Application Protocol V1.1b3, section 5.1, under the names Zeek gives.
var modbusFunctions = []otFunction{
	{1, "READ_COILS", otRead},
	{2, "READ_DISCRETE_INPUTS", otRead},
	{3, "READ_HOLDING_REGISTERS", otRead},
	{4, "READ_INPUT_REGISTERS", otRead},
	{5, "WRITE_SINGLE_COIL", otWrite},
	{6, "WRITE_SINGLE_REGISTER", otWrite},
	{7, "READ_EXCEPTION_STATUS", otDiagnose},
	{8, "DIAGNOSTICS", otDiagnose},
	{9, "PROGRAM_484", otModify},
	{10, "POLL_484", otRead},
	{11, "GET_COMM_EVENT_COUNTER", otDiagnose},
	{12, "GET_COMM_EVENT_LOG", otDiagnose},
	{13, "PROGRAM_584_984", otModify},
	{14, "POLL_584_984", otRead},
	{15, "WRITE_MULTIPLE_COILS", otWrite},
	{16, "WRITE_MULTIPLE_REGISTERS", otWrite},
	{17, "REPORT_SLAVE_ID", otRead},
	{18, "PROGRAM_884_U84", otModify},
	{19, "RESET_COMM_LINK_884_U84", otRestart},
	{20, "READ_FILE_RECORD", otRead},
	{21, "WRITE_FILE_RECORD", otWrite},
	{22, "MASK_WRITE_REGISTER", otWrite},
	{23, "READ_WRITE_MULTIPLE_REGISTERS", otWrite},
	{24, "READ_FIFO_QUEUE", otRead},
	{40, "PROGRAM_CONCEPT", otModify},
	{43, "ENCAP_INTERFACE_TRANSPORT", otRead},
	{90, "PROGRAM_UNITY", otModify},
	{91, "OBJECT_MESSAGING", otWrite},
	{125, "FIRMWARE_REPLACEMENT", otFirmware},
	{126, "PROGRAM_584_984_2", otModify},
	{127, "REPORT_LOCAL_ADDRESS_MB", otRead},
}

// dnp3Functions are the application-layer function codes: IEEE 1815-2012, table 4-1.
var dnp3Functions = []otFunction{
	{0, "CONFIRM", otRead},
	{1, "READ", otRead},
	{2, "WRITE", otWrite},
	{3, "SELECT", otWrite},
	{4, "OPERATE", otWrite},
	{5, "DIRECT_OPERATE", otWrite},
	{6, "DIRECT_OPERATE_NR", otWrite},
	{7, "IMMED_FREEZE", otWrite},
	{8, "IMMED_FREEZE_NR", otWrite},
	{9, "FREEZE_CLEAR", otWrite},
	{10, "FREEZE_CLEAR_NR", otWrite},
	{11, "FREEZE_AT_TIME", otWrite},
	{12, "FREEZE_AT_TIME_NR", otWrite},
	{13, "COLD_RESTART", otRestart},
	{14, "WARM_RESTART", otRestart},
	{15, "INITIALIZE_DATA", otWrite},
	{16, "INITIALIZE_APPL", otRestart},
	{17, "START_APPL", otRun},
	{18, "STOP_APPL", otStop},
	{19, "SAVE_CONFIG", otWrite},
	{20, "ENABLE_UNSOLICITED", otWrite},
	{21, "DISABLE_UNSOLICITED", otWrite},
	{22, "ASSIGN_CLASS", otWrite},
	{23, "DELAY_MEASURE", otDiagnose},
	{24, "RECORD_CURRENT_TIME", otSetTime},
	{25, "OPEN_FILE", otRead},
	{26, "CLOSE_FILE", otRead},
	{27, "DELETE_FILE", otDelete},
	{28, "GET_FILE_INFO", otRead},
	{29, "AUTHENTICATE_FILE", otRead},
	{30, "ABORT_FILE", otWrite},
	{31, "ACTIVATE_CONFIG", otWrite},
	{32, "AUTHENTICATE_REQ", otConnect},
	{33, "AUTHENTICATE_ERR", otConnect},
	{129, "RESPONSE", otRead},
	{130, "UNSOLICITED_RESPONSE", otRead},
	{131, "AUTHENTICATE_RESP", otConnect},
}

// s7Functions are the functions and subfunctions of S7comm and S7comm-plus as the ICSNPP analyser names them.
var s7Functions = []otFunction{
	{0x04, "Read Variable", otRead},
	{0x05, "Write Variable", otWrite},
	{0x1a, "Request Download", otDownload},
	{0x1b, "Download Block", otDownload},
	{0x1c, "Download Ended", otDownload},
	{0x1d, "Start Upload", otUpload},
	{0x1e, "Upload", otUpload},
	{0x1f, "End Upload", otUpload},
	{0x28, "PLC Control", otRun},
	{0x29, "PLC Stop", otStop},
	{0xf0, "Setup Communication", otConnect},
	// Services of PLC Control.
	{0, "PLC Start / Stop", otRun},
	{0, "PLC Copy Ram to Rom", otModify},
	{0, "Compress PLC memory", otModify},
	{0, "Activates a PLC module", otModify},
	{0, "Removes module from the PLC's passive file system", otDelete},
	{0, "Login", otConnect},
	{0, "Logout", otDisconnect},
	// User data.
	{0, "Stop", otStop},
	{0, "Run", otRun},
	{0, "Warm Restart", otRestart},
	{0, "Hot Restart", otRestart},
	{0, "Cold Restart", otRestart},
	{0, "Modify Variable", otWrite},
	{0, "Force", otWrite},
	{0, "Memory Reset", otDelete},
	{0, "List Blocks", otRead},
	{0, "List Blocks of Type", otRead},
	{0, "Get Block Info", otRead},
	{0, "Read SZL", otRead},
	{0, "Message Service", otDiagnose},
	{0, "PLC Password", otConnect},
	{0, "Read Clock", otRead},
	{0, "Read Clock (Following)", otRead},
	{0, "Set Clock", otSetTime},
	{0, "Set Clock (2)", otSetTime},
	// S7comm-plus.
	{0x04bb, "Explore", otRead},
	{0x04ca, "Create Object", otModify},
	{0x04d4, "Delete Object", otDelete},
	{0x04f2, "Set Variable", otWrite},
	{0x0524, "Get Link", otRead},
	{0x0542, "Set Multi Variables", otWrite},
	{0x054c, "Get Multi Variables", otRead},
	{0x0556, "Begin Sequence", otWrite},
	{0x0560, "End Sequence", otWrite},
	{0x056b, "Invoke", otRun},
	{0x0586, "Get Variable Sub Streamed", otRead},
	{0, "Notification", otRead},
}

func functionByCode(table []otFunction, code int64) (otFunction, bool) {
	for i := range table {
		if table[i].code == code {
			return table[i], true
		}
	}
	return otFunction{}, false
}

func functionByName(table []otFunction, name string) (otFunction, bool) {
	for i := range table {
		if strings.EqualFold(table[i].name, name) {
			return table[i], true
		}
	}
	return otFunction{}, false
}

// setFunction gives an OT command its activity and function. A function the table does not have keeps its own name, or its number.
func setFunction(e *event.Event, f otFunction, known bool, name string, code event.Int) {
	e.ClassUID = event.ClassOTCommand
	if e.OT == nil {
		e.OT = &event.OTCommand{}
	}
	e.OT.FunctionCode = code
	if known {
		e.ActivityID, e.OT.Function, e.OT.IsWrite = f.activity, f.name, changes(f.activity)
		if !code.Known && f.code != 0 {
			e.OT.FunctionCode = event.IntOf(f.code)
		}
		return
	}
	if name == "" && code.Known {
		name = "function " + strconv.FormatInt(code.V, 10)
	}
	e.OT.Function = clip(name, 64)
	e.ActivityID = 0
	if name != "" {
		e.ActivityID, e.Activity = event.ActivityOther, e.OT.Function
	}
}

// changes reports whether an activity leaves the device other than it was.
func changes(activity uint16) event.Bool {
	switch activity {
	case otRead, otUpload, otConnect, otDisconnect, otDiagnose:
		return event.False
	}
	return event.True
}
